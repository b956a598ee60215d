"""The run modes `auto`, `new` and `shared`, and the rank scopes `global` and `worker`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flyte_wandb_hookspecs import ParentRun, Part, PlanRefusedError, Request, Role, Strategy, Topology, hookimpl


@hookimpl
def choose_initializer(request: Request, part: Part) -> Role | None:
    """Choose the role: by the place in the part for a rank, by the parent for a task of one process."""
    modes = _ON_RANKS if request.topology.distributed else _ALONE
    choose = modes.get(request.run_mode)
    return choose(request, part) if choose else None


# The functions of the two tables below: what one run mode does, on ranks or in a plain task.
def _open_on_leader(request: Request, part: Part) -> Role:
    if part.spans_nodes:  # and the settings ask for the system metrics of all of them
        return _measure_nodes(request, part)
    return _open_own_run(request) if part.leads else Role.SKIP


def _measure_nodes(request: Request, part: Part) -> Role:
    """Choose the role in a part if one rank of each node writes to the part's run."""
    if request.settings.joinable is False:
        raise PlanRefusedError(
            "system_metrics='nodes' has one rank of each node write to the run, and joinable=False leaves it to its "
            "owner (as do on_retry='restart', resume_from and fork_from); remove one of the two"
        )
    if part.leads:
        return Role.PRIMARY
    return Role.MONITOR if part.node_ranks[0] == request.topology.local_rank else Role.SKIP


def _open_everywhere(request: Request, part: Part) -> Role:
    return _open_own_run(request)


def _share_within_part(request: Request, part: Part) -> Role:
    return Role.PRIMARY if part.leads else Role.SECONDARY


def _join_parent_or_open(request: Request, part: Part) -> Role:
    return Role.JOIN if request.parent and request.parent.joinable else _open_own_run(request)


def _join_parent(request: Request, part: Part) -> Role:
    _refuse_unless_joinable(request.parent)
    return Role.JOIN


def _open_own_run(request: Request) -> Role:
    joinable = request.settings.joinable
    if joinable is None:
        # A run that others may join is opened in W&B's shared mode, which has no steps; ranks log with steps as a rule.
        # A plain task's children join its run by default, so it has to be joinable.
        joinable = not request.topology.distributed
    return Role.PRIMARY if joinable else Role.SOLO


def _refuse_unless_joinable(parent: ParentRun | None) -> None:
    # Refused rather than opened alone: the rows would silently be in another run than the one that was asked for.
    if parent is None:
        raise PlanRefusedError(
            "run_mode 'shared' writes to the run of a parent action, and no action above this one is tracked; "
            "decorate the parent with @wandb_init, or use run_mode 'auto' or 'new'"
        )
    if not parent.joinable:
        raise PlanRefusedError(
            f"run_mode 'shared' cannot write to the parent's run {parent.run_id!r}, which was opened with "
            "joinable=False; remove joinable=False from the parent, or use run_mode 'auto' or 'new' here"
        )


# A rank never joins the parent's run: 31 writers send more than the 2 requests a second that W&B allows a run.
_ON_RANKS = {"auto": _open_on_leader, "new": _open_everywhere, "shared": _share_within_part}
_ALONE = {"auto": _join_parent_or_open, "new": _open_everywhere, "shared": _join_parent}


@hookimpl
def locate_rank(request: Request) -> Part | None:
    """Put all ranks into one part (`global`), or those of each node (`worker`; a single node is the whole world)."""
    if request.rank_scope == "global":
        return _whole_world(request.topology)
    if request.rank_scope == "worker":
        return _own_node(request.topology)
    return None


def _whole_world(topology: Topology) -> Part:
    return Part(index=topology.rank, size=topology.world_size)


def _own_node(topology: Topology) -> Part:
    # Without a label, so that ids are the same under both scopes as long as there is one node.
    if topology.num_workers == 1:
        return _whole_world(topology)
    return Part(label=f"worker-{topology.worker_index}", index=topology.local_rank, size=topology.local_world_size)


BUILT_IN: Final = (
    Strategy(kind="run_mode", name="auto", summary="one run per part; a child writes to its parent's run"),
    Strategy(kind="run_mode", name="new", summary="a run for every rank, grouped per part"),
    Strategy(kind="run_mode", name="shared", summary="all ranks of a part (or child and parent) write to one run"),
    Strategy(kind="rank_scope", name="global", summary="all ranks are one part"),
    Strategy(kind="rank_scope", name="worker", summary="the ranks of each node (worker) are a part"),
)


@hookimpl
def list_strategies() -> Sequence[Strategy]:
    """Declare the three run modes and the two rank scopes."""
    return BUILT_IN
