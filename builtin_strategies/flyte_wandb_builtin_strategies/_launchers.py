"""Which launcher started this process: torch elastic (torchrun, Flyte's Elastic), a Flyte clustered environment, or
whoever set all that torchrun sets of a rank's place.

Variables: torch's "Environment Variables" page of torchrun for the former; flyte's `clustered` launcher (JobSet) for
the latter. Its jax runtime has no launcher binary and sets RANK and NODE_RANK itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte_wandb_hookspecs import PlanRefusedError, Topology, hookimpl

_TORCH_MARKER = "TORCHELASTIC_RUN_ID"
# Flyte sets it from 2.10 on; before that, only the torch marker shows that a clustered rank is one.
_CLUSTERED_MARKER = "FLYTE_CLUSTERED_WORKER"
_UNNAMED_LAUNCHER = "environment"
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
# Flyte's clustered launcher sets NODE_RANK. Under Elastic there is only torch's GROUP_RANK (flyte 2.12.1).
_NODE_VARIABLES = ("NODE_RANK", "GROUP_RANK")
_NODE_COUNT_VARIABLES = ("GROUP_WORLD_SIZE", "NNODES")
# Of ranks that torch restarts, and of pods that JobSet starts anew (Flyte's clustered launcher).
_RESTART_VARIABLES = ("TORCHELASTIC_RESTART_COUNT", "JOBSET_RESTART_ATTEMPT")


@hookimpl
def detect_topology(environ: Mapping[str, str]) -> Topology | None:
    """Read the rank from the environment, if it has a launcher's marker or all variables of a rank's place.

    RANK and WORLD_SIZE alone do not make a rank: a pod may have them around the launcher.
    """
    launcher = _find_launcher(environ)
    if launcher is None:
        return None
    try:
        return _read_topology(environ, launcher)
    except PlanRefusedError as error:
        if launcher != _UNNAMED_LAUNCHER:
            raise
        # Nobody left a marker, so the variables may not be a launcher's at all: the message offers both ways out.
        names = ", ".join(_RANK_VARIABLES)
        raise PlanRefusedError(f"{error}; {names} are all set, as for a rank: unset them if it is none") from None


def _find_launcher(environ: Mapping[str, str]) -> str | None:
    # First, because Flyte's clustered launcher starts torchrun, which leaves its own marker as well.
    if environ.get(_CLUSTERED_MARKER):
        return "clustered"
    if environ.get(_TORCH_MARKER):
        return "torch-elastic"
    return _UNNAMED_LAUNCHER if all(environ.get(name) for name in _RANK_VARIABLES) else None


def _read_topology(environ: Mapping[str, str], launcher: str) -> Topology:
    world_size = _read_number(environ, "WORLD_SIZE", at_least=1)
    rank = _read_number(environ, "RANK", below=world_size)
    local_world_size = _read_number(environ, "LOCAL_WORLD_SIZE", at_least=1)
    local_rank = _read_number(environ, "LOCAL_RANK", below=local_world_size)
    worker_index = _read_first_number(environ, _NODE_VARIABLES, default=rank // local_world_size)
    # Nodes may differ: a large one may come after more nodes than there would be if all were as large.
    fewest_nodes = max(worker_index + 1, -(-world_size // local_world_size))
    num_workers = _read_first_number(environ, _NODE_COUNT_VARIABLES, default=fewest_nodes)
    return _check_topology(
        environ,
        rank=rank,
        world_size=world_size,
        local_rank=local_rank,
        local_world_size=local_world_size,
        # An index that was only counted may lie beyond the nodes that the launcher names; the check below says why.
        worker_index=worker_index if _names_node(environ) else min(worker_index, num_workers - 1),
        num_workers=num_workers,
        launcher=launcher,
        restart_count=_read_first_number(environ, _RESTART_VARIABLES, default=0),
    )


def _names_node(environ: Mapping[str, str]) -> bool:
    return any(name in environ for name in _NODE_VARIABLES)


def _read_first_number(environ: Mapping[str, str], names: tuple[str, ...], *, default: int) -> int:
    for name in names:
        if name in environ:
            return _read_number(environ, name)
    return default


_MOST_DIGITS: Final = 100
"""Characters of a variable that are read, and shown."""


def _read_number(environ: Mapping[str, str], name: str, *, at_least: int = 0, below: int | None = None) -> int:
    fits = f"{at_least} or more" if below is None else f"{at_least} to {below - 1}"
    text = environ.get(name)
    if text is None:
        raise PlanRefusedError(f"the launcher left {name} unset; a whole number, {fits}, is needed to know this rank")
    # `int` alone would take "-1" and "1_0" as well, which no launcher means, and refuses thousands of digits.
    number = int(text) if text.strip().isdecimal() and len(text) <= _MOST_DIGITS else -1
    if number < at_least or (below is not None and number >= below):
        shown = repr(text[:_MOST_DIGITS]) + ("…" if len(text) > _MOST_DIGITS else "")
        raise PlanRefusedError(f"{name} is {shown} in this process's environment; a whole number, {fits}, would fit")
    return number


def _check_topology(environ: Mapping[str, str], **fields: int | str) -> Topology:
    try:
        topology = Topology(**fields)  # type: ignore[arg-type]
        fault = _contradiction_fault(topology) or _unknown_node_fault(environ, topology)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise PlanRefusedError(f"the launcher's variables contradict each other: {fault} ({_variables_text(environ)})")
    return topology


def _contradiction_fault(topology: Topology) -> str | None:
    # Every launcher numbers its ranks node by node, so those before this node are known.
    before = topology.rank - topology.local_rank
    world_size, here = topology.world_size, topology.local_world_size
    nodes, node = topology.num_workers, topology.worker_index
    if nodes == 1 and (before or here != world_size):
        return "on a single node the local rank and the local world size are those of the world"
    if nodes > 1 and here == world_size:
        return f"one node has all {world_size} ranks, but there are {nodes} nodes"
    if before < node:
        return f"before node {node} come {node} or more ranks, not {before}"
    if before + here > world_size:
        return f"{before} ranks before this node and {here} on it are more than the whole world"
    return None


def _unknown_node_fault(environ: Mapping[str, str], topology: Topology) -> str | None:
    """Return why nobody can know this node: without a variable it is counted, which only equal nodes allow."""
    before, here = topology.rank - topology.local_rank, topology.local_world_size
    even = topology.num_workers * here == topology.world_size and before % here == 0
    if even or _names_node(environ):
        return None
    return (
        f"neither {' nor '.join(_NODE_VARIABLES)} names this node, and the others give it only where every node has "
        "as many ranks; set GROUP_RANK to its index, 0 for the first"
    )


def _variables_text(environ: Mapping[str, str]) -> str:
    names = (*_RANK_VARIABLES, *_NODE_VARIABLES, *_NODE_COUNT_VARIABLES)
    return ", ".join(f"{name}={environ[name]!r}" for name in names if name in environ)
