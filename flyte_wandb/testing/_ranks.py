"""Running the ranks of a distributed task the way a clustered environment does, with no cluster and no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._container import Container, ContainerResult, Task, start_container
from ._worlds import world_of


def run_ranks(
    task: Task, *, folder: Path, nodes: Sequence[int] = (2,), timeout: float = 120.0, **options: Any
) -> list[ContainerResult]:
    """Run every rank of one task in its own `a0` process, all at the same time, and wait for their end.

    Args:
        task: A task that lives under its function's name in an importable module.
        folder: An existing folder for the files of all ranks; the processes start in it.
        nodes: How many ranks each node has: ``(2, 2)`` is two nodes with two ranks each.
        timeout: Seconds to wait at most for each.
        options: See `start_container`. Only rank 0 reports a value or an error.

    Returns:
        How the ranks ended, in their order.
    """
    return [rank.wait(timeout) for rank in start_ranks(task, folder=folder, nodes=nodes, **options)]


def start_ranks(
    task: Task,
    *,
    folder: Path,
    nodes: Sequence[int] = (2,),
    environ: Mapping[str, str] | None = None,
    **options: Any,
) -> list[Container]:
    """Start every rank of one task; see `run_ranks`."""
    return [
        start_container(
            task, folder=folder, environ={**(environ or {}), **rank}, label=f"rank-{rank['RANK']}", **options
        )
        for rank in _environments(nodes)
    ]


def _environments(nodes: Sequence[int]) -> Iterator[dict[str, str]]:
    """Yield what Flyte's launcher of clustered environments sets for each rank."""
    for place in world_of(*nodes):
        yield {
            "FLYTE_CLUSTERED_WORKER": "1",
            "RANK": str(place.rank),
            "WORLD_SIZE": str(place.world_size),
            "LOCAL_RANK": str(place.local_rank),
            "LOCAL_WORLD_SIZE": str(place.local_world_size),
            "NODE_RANK": str(place.worker_index),
            "NNODES": str(place.num_workers),
        }
