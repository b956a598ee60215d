"""The plan in a tab: what this rank does, what the whole world does, and which plugin decided it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from flyte_wandb_hookspecs import Group, Part, Plan, Request, Role, Step

from ..._errors import FlyteWandbError
from ..._logging import one_line
from ...links._build import MOST_CHECKED
from ...plans._plan import plan
from ...plans._summary import parts_of
from ...plans._world import world
from ._html import Html, joined, tag
from ._tables import facts, table

_MOST_PARTS: Final = 16
_WORLD: Final = "all"


def plan_section(request: Request, chosen: Plan, link: Sequence[Step]) -> Html:
    """Return the section.

    Args:
        request: The request of this rank.
        chosen: Its plan.
        link: The decision on Flyte's link, or nothing.
    """
    rank = facts(_of_rank(request, chosen))
    decisions = table(("decision", "answer", "plugin", "wrapped by"), map(_decision, (*chosen.steps, *link)))
    shown = (rank, _world(request), tag("h4", "Who decided"), decisions)
    return tag("section", tag("h3", "Plan"), *shown)


def _of_rank(request: Request, chosen: Plan) -> Iterator[tuple[str, str | None]]:
    topology = request.topology
    yield "role", chosen.role.value
    yield "run", chosen.run_id
    yield "group", chosen.group
    yield "run mode", request.settings.run_mode
    if topology.distributed:
        yield "rank", f"{topology.rank} of {topology.world_size:,}, on {topology.num_workers:,} node(s)"
        yield "part", chosen.part.label or _WORLD
        yield "rank scope", request.settings.rank_scope
    yield "action", f"{request.action_name} of {request.run_name}, attempt {request.attempt}"
    yield "parent's run", request.parent.run_id if request.parent else None


def _world(request: Request) -> Html | None:
    if not request.topology.distributed:
        return None
    try:
        plans = [plan(one) for one in islice(world(request), MOST_CHECKED)]
    except (FlyteWandbError, ValueError) as error:
        return tag("p", f"The plan of the other ranks cannot be shown: {one_line(error)}", class_="note")
    parts = parts_of(plans)
    rows = ((one.label or _WORLD, one.ranks, one.roles, one.runs, one.groups) for one in parts[:_MOST_PARTS])
    shown = table(("part", "ranks", "roles", "runs", "group"), rows)
    return joined(tag("h4", "All ranks"), shown, *_left_out(request, len(plans), len(parts) - _MOST_PARTS))


def _left_out(request: Request, planned: int, more: int) -> Iterator[Html]:
    size = request.topology.world_size
    if planned < size:
        yield tag("p", f"These are the first {planned:,} of {size:,} ranks.", class_="note")
    if more > 0:
        yield tag("p", f"{more:,} more parts are not shown.", class_="note")


def _decision(step: Step) -> tuple[str, str, str, str]:
    return step.hook, _answer(step.value), step.plugin, ", ".join(step.wrapped_by)


def _answer(value: Any) -> str:
    if isinstance(value, Part):
        return f"{value.label or _WORLD}, rank {value.index} of {value.size:,} in it"
    if isinstance(value, Role):
        return value.value
    return (value.name or "none") if isinstance(value, Group) else str(value)
