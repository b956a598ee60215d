"""A declared world: the request of each of its ranks, and the check that its runs have one owner each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from flyte_wandb_hookspecs import Plan, Request, Role, Topology

from .._errors import HookError
from ..plugins._manager import describe_authors

_RankPlan = tuple[int, Plan]
"""A rank and its plan."""


TYPICAL_LAUNCHER: Final = "torch-elastic"
"""Who starts the ranks of a world of which only the size is known; which one it is changes no plan of the built-ins."""


def world_requests(request: Request) -> Iterator[Request]:
    """Yield the request of every rank of the declared world of `request`, in the order of ranks.

    The declared world is even: each of its `num_workers` nodes has `local_world_size` ranks.
    """
    for rank in range(request.topology.world_size):
        yield replace(request, topology=topology_of_rank(request.topology, rank))


def is_even(topology: Topology) -> bool:
    """Whether all nodes of a world have as many ranks as this rank's."""
    return topology.num_workers * topology.local_world_size == topology.world_size


def topology_of_rank(declared: Topology, rank: int) -> Topology:
    """Return another rank of a declared world, whose nodes are all of one size."""
    worker, local_rank = divmod(rank, declared.local_world_size)
    return replace(declared, rank=rank, local_rank=local_rank, worker_index=worker)


def check_owners(plans: Iterable[Plan], *, whole: bool = True) -> None:
    """Check the plans of a world: no run has two owners, and every SECONDARY and MONITOR has exactly one PRIMARY.

    Args:
        plans: The plans of the ranks from 0 on, in their order.
        whole: Whether these are all ranks. Where they are only the first, a PRIMARY may be among the others.

    Raises:
        HookError: Two ranks own one id, or the run of a SECONDARY or MONITOR has no PRIMARY; the message names the
            author of the id.
    """
    owners: dict[str, _RankPlan] = {}
    joiners: dict[str, _RankPlan] = {}
    for rank, plan in enumerate(plans):
        # The owner of a run that is joined is another action's, which plans for itself.
        if plan.run_id is None or plan.role is Role.JOIN:
            continue
        if plan.role in (Role.SECONDARY, Role.MONITOR):
            # One of them is enough for an error message, and a world may have thousands.
            joiners.setdefault(plan.run_id, (rank, plan))
        elif plan.run_id in owners:
            raise HookError(_two_owners_message(plan.run_id, owners[plan.run_id], (rank, plan)))
        else:
            owners[plan.run_id] = (rank, plan)
    _check_joiners(joiners, owners, whole=whole)


def _check_joiners(joiners: dict[str, _RankPlan], owners: dict[str, _RankPlan], *, whole: bool) -> None:
    for run_id, (rank, joiner) in joiners.items():
        owner = owners.get(run_id)
        if (owner is None and whole) or (owner and owner[1].role is not Role.PRIMARY):
            raise HookError(
                f"{_describe_rank(rank, joiner)}, is to join the run {run_id!r}, which no rank opens as PRIMARY; its "
                f"role is by {_author_of(joiner, 'choose_initializer')}, its id by "
                f"{_author_of(joiner, 'compute_run_id')}"
            )


def _two_owners_message(run_id: str, first: _RankPlan, second: _RankPlan) -> str:
    return (
        f"two ranks own the run {run_id!r}: {_describe_rank(*first)}, and {_describe_rank(*second)}; "
        f"{_author_of(second[1], 'compute_run_id')} named it so: an id has to tell parts and ranks apart"
    )


def _describe_rank(rank: int, plan: Plan) -> str:
    inside = f" (rank {plan.part.index} of {plan.part.label})" if plan.part.label else ""
    return f"rank {rank}{inside}, {plan.role.value}"


def _author_of(plan: Plan, hook: str) -> str:
    return next((describe_authors(step) for step in plan.steps if step.hook == hook), "nobody")
