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
from ...plans._summary import summarize_parts
from ...plans._world import world_requests
from ._html import Html, html_tag, join_html
from ._tables import build_facts, build_table

_MOST_PARTS: Final = 16
_WORLD: Final = "all"


def build_plan_section(request: Request, chosen: Plan, link: Sequence[Step]) -> Html:
    """Return the section.

    Args:
        request: The request of this rank.
        chosen: Its plan.
        link: The decision on Flyte's link, or nothing.
    """
    rank = build_facts(_rank_facts(request, chosen))
    decisions = build_table(("decision", "answer", "plugin", "wrapped by"), map(_decision_row, (*chosen.steps, *link)))
    shown = (rank, _world_table(request), html_tag("h4", "Who decided"), decisions)
    return html_tag("section", html_tag("h3", "Plan"), *shown)


def _rank_facts(request: Request, chosen: Plan) -> Iterator[tuple[str, str | None]]:
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


def _world_table(request: Request) -> Html | None:
    if not request.topology.distributed:
        return None
    try:
        plans = [plan(one) for one in islice(world_requests(request), MOST_CHECKED)]
    except (FlyteWandbError, ValueError) as error:
        return html_tag("p", f"The plan of the other ranks cannot be shown: {one_line(error)}", class_="note")
    parts = summarize_parts(plans)
    rows = ((one.label or _WORLD, one.ranks, one.roles, one.runs, one.groups) for one in parts[:_MOST_PARTS])
    shown = build_table(("part", "ranks", "roles", "runs", "group"), rows)
    return join_html(html_tag("h4", "All ranks"), shown, *_left_out_note(request, len(plans), len(parts) - _MOST_PARTS))


def _left_out_note(request: Request, planned: int, more: int) -> Iterator[Html]:
    size = request.topology.world_size
    if planned < size:
        yield html_tag("p", f"These are the first {planned:,} of {size:,} ranks.", class_="note")
    if more > 0:
        yield html_tag("p", f"{more:,} more parts are not shown.", class_="note")


def _decision_row(step: Step) -> tuple[str, str, str, str]:
    return step.hook, _answer_text(step.value), step.plugin, ", ".join(step.wrapped_by)


def _answer_text(value: Any) -> str:
    if isinstance(value, Part):
        return f"{value.label or _WORLD}, rank {value.index} of {value.size:,} in it"
    if isinstance(value, Role):
        return value.value
    return (value.name or "none") if isinstance(value, Group) else str(value)
