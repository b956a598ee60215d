"""The size of an island: what stands behind the colon, checked against the world."""

from __future__ import annotations

from flyte_wandb import PlanRefusedError, Topology, strategy_argument


def island_size(rank_scope: str, topology: Topology) -> int:
    """Return how many ranks an island has: 1 to the world's size.

    A process that no launcher started is no rank, and an island of its own under any size: a scope that the context
    gives to a whole Flyte run reaches plain tasks, too.

    Args:
        rank_scope: The scope as the user wrote it, such as ``island:4``.
        topology: The rank.

    Raises:
        PlanRefusedError: There is no size, or none of 1 or more, or the world is not divisible by it.

    >>> island_size("island:4", Topology(world_size=8, launcher="torch-elastic"))
    4
    >>> island_size("island:4", Topology())
    1
    """
    size, fault = _written_size(strategy_argument(rank_scope))
    if not fault and topology.distributed and topology.world_size % size:
        fault = "does not divide the world into islands of one size"
    if fault:
        raise PlanRefusedError(f"rank_scope {rank_scope!r} {fault}; {_remedy(topology)}")
    return size if topology.distributed else topology.world_size


def _written_size(written: str | None) -> tuple[int, str | None]:
    if written is None:
        return 0, "does not say how many ranks an island has"
    if not written.isdecimal() or int(written) == 0:
        return 0, f"says that an island has {written!r} ranks, which is no whole number of 1 or more"
    return int(written), None


def _remedy(topology: Topology) -> str:
    world_size = topology.world_size
    if not topology.distributed:
        return f"write island:<ranks>, such as island:4 (this process is no rank: its world size is {world_size})"
    fitting = (f"island:{size}" for size in range(1, world_size + 1) if world_size % size == 0)
    return f"what fits a world size of {world_size}: {', '.join(fitting)}"
