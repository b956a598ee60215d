"""A declared world: the request of each of its ranks, and the check that its runs have one owner each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flyte_wandb_hookspecs import Plan, Request, Role, Step, Topology

from .._errors import HookError
from .._logging import count_noun
from ..plugins._manager import BUILT_IN, describe_authors, find_culprit

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
    """Return another rank of a declared world. All nodes of a declared world have the same size."""
    worker, local_rank = divmod(rank, declared.local_world_size)
    return replace(declared, rank=rank, local_rank=local_rank, worker_index=worker)


def check_world(plans: Sequence[Plan], *, whole: bool = True) -> None:
    """Check that the plans of a world fit together: its parts first, because runs follow from them, then its runs.

    Args:
        plans: The plans of the ranks from 0 on, in their order.
        whole: Whether these are all ranks, or only the first.

    Raises:
        HookError: They do not; the message names the plugin at fault and what it has to answer.
    """
    check_parts(plans, whole=whole)
    check_owners(plans, whole=whole)


def check_parts(plans: Iterable[Plan], *, whole: bool = True) -> None:
    """Check that ranks agree on their parts: no two ranks of a part share an index, and the size is true.

    Args:
        plans: As for `check_world`.
        whole: As for `check_world`. Of the first ranks of a world, a part may have more among the others.

    Raises:
        HookError: Two ranks of a part have one index, or its size is not the number of its ranks.
    """
    parts: dict[str | None, dict[int, _RankPlan]] = {}
    for rank, plan in enumerate(plans):
        members = parts.setdefault(plan.part.label, {})
        if plan.part.index in members:
            raise _blame_plan(
                f"rank {members[plan.part.index][0]} and rank {rank} both have index {plan.part.index} in "
                f"{_describe_part(plan)}",
                plan,
                _PART_REMEDIES,
            )
        members[plan.part.index] = (rank, plan)
    for members in parts.values():
        _check_size(list(members.values()), whole=whole)


def _check_size(members: list[_RankPlan], *, whole: bool) -> None:
    first, plan = members[0]
    size, says = (len(members), "it has") if whole else (plan.part.size, f"rank {first} says")
    for rank, plan in members:
        if plan.part.size != size:
            raise _blame_plan(
                f"rank {rank} says that {_describe_part(plan)} has {count_noun(plan.part.size, 'rank')}, and {says} "
                f"{size}",
                plan,
                _PART_REMEDIES,
            )


def check_owners(plans: Iterable[Plan], *, whole: bool = True) -> None:
    """Check the plans of a world: no run has two owners, and every SECONDARY and MONITOR has exactly one PRIMARY.

    Args:
        plans: The plans of the ranks from 0 on, in their order.
        whole: Whether these are all ranks. If they are only the first, a PRIMARY may be among the others.

    Raises:
        HookError: Two ranks own one id, or the run of a SECONDARY or MONITOR has no PRIMARY; the message names the
            plugin at fault.
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
            first, second = _describe_rank(*owners[plan.run_id]), _describe_rank(rank, plan)
            raise _blame_plan(f"two ranks own the run {plan.run_id!r}: {first}, and {second}", plan, _OWNER_REMEDIES)
        else:
            owners[plan.run_id] = (rank, plan)
    _check_joiners(joiners, owners, whole=whole)


def _check_joiners(joiners: dict[str, _RankPlan], owners: dict[str, _RankPlan], *, whole: bool) -> None:
    for run_id, (rank, joiner) in joiners.items():
        owner = owners.get(run_id)
        if (owner is None and whole) or (owner and owner[1].role is not Role.PRIMARY):
            raise _blame_plan(
                f"{_describe_rank(rank, joiner)}, joins the run {run_id!r}, which no rank opens as PRIMARY",
                joiner,
                _JOINER_REMEDIES,
            )


# What a hook has to do, where its answer is at fault.
_PART_REMEDIES: Final = {"locate_rank": "count the ranks of a part in `size`, and number them 0, 1, 2, ... in `index`"}
_OWNER_REMEDIES: Final = {
    "compute_run_id": "tell parts and ranks apart",
    "choose_initializer": "let one rank of a part own its run, or the plugin has to compute an id for each owner",
}
_JOINER_REMEDIES: Final = {
    "compute_run_id": "give one id to all ranks that share a run",
    "choose_initializer": "answer PRIMARY for one rank of the part",
}


def _blame_plan(fault: str, plan: Plan, remedies: Mapping[str, str]) -> HookError:
    """Return the error that names the plugin at fault among those that have answered the hooks of `remedies`."""
    steps = sorted((step for step in plan.steps if step.hook in remedies), key=_guilt)
    if not steps:
        return HookError(fault)
    step = steps[0]
    message = f"{fault}; {step.hook} of {describe_authors(step)} has to {remedies[step.hook]}"
    return HookError(message, plugin=find_culprit(step))


def _guilt(step: Step) -> tuple[bool, bool, bool]:
    """Sort the likeliest culprit first: who answers instead of the built-ins, who wraps them; ids before roles."""
    return (step.plugin == BUILT_IN, not step.wrapped_by, step.hook != "compute_run_id")


def _describe_part(plan: Plan) -> str:
    return f"the part {plan.part.label!r}" if plan.part.label else "the whole world"


def _describe_rank(rank: int, plan: Plan) -> str:
    inside = f" (rank {plan.part.index} of {plan.part.label})" if plan.part.label else ""
    return f"rank {rank}{inside}, {plan.role.value}"
