"""The plan in a tab: what this rank does, what all ranks do, and which plugin decided it."""

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
"""Rows of the table of parts; `flyte-wandb plan --all` lists every rank."""

_WORLD: Final = "all"
"""What the part without a label is called."""


def build_plan_section(request: Request, rank_plan: Plan, link_steps: Sequence[Step]) -> Html:
    """Return the section.

    Args:
        request: The request of this rank.
        rank_plan: Its plan.
        link_steps: The decision on Flyte's link, or nothing.
    """
    rank = build_facts(_rank_facts(request, rank_plan))
    rows = map(_decision_row, (*rank_plan.steps, *link_steps))
    decisions = build_table(("decision", "answer", "plugin", "wrapped by"), rows)
    content = (rank, _build_world_table(request), html_tag("h4", "Who decided"), decisions)
    return html_tag("section", html_tag("h3", "Plan"), *content)


def _rank_facts(request: Request, rank_plan: Plan) -> Iterator[tuple[str, str | None]]:
    topology = request.topology
    yield "role", rank_plan.role.value
    yield "run", rank_plan.run_id
    yield "group", rank_plan.group
    yield "run mode", request.settings.run_mode
    if topology.distributed:
        yield "rank", f"{topology.rank} of {topology.world_size:,}, on {topology.num_workers:,} node(s)"
        yield "part", rank_plan.part.label or _WORLD
        yield "rank scope", request.settings.rank_scope
    yield "action", f"{request.action_name} of {request.run_name}, attempt {request.attempt}"
    yield "parent's run", request.parent.run_id if request.parent else None


def _build_world_table(request: Request) -> Html | None:
    if not request.topology.distributed:
        return None
    # A launched world may have nodes of different sizes, which the plan of an even world does not fit: a ValueError.
    try:
        plans = [plan(rank_request) for rank_request in islice(world_requests(request), MOST_CHECKED)]
    except (FlyteWandbError, ValueError) as error:
        return html_tag("p", f"The plan of the other ranks cannot be shown: {one_line(error)}", class_="note")
    parts = summarize_parts(plans)
    rows = ((part.label or _WORLD, part.ranks, part.roles, part.runs, part.groups) for part in parts[:_MOST_PARTS])
    table = build_table(("part", "ranks", "roles", "runs", "group"), rows)
    return join_html(html_tag("h4", "All ranks"), table, *_left_out_notes(request, len(plans), len(parts)))


def _left_out_notes(request: Request, planned: int, parts: int) -> Iterator[Html]:
    size = request.topology.world_size
    if planned < size:
        yield html_tag("p", f"These are the first {planned:,} of {size:,} ranks.", class_="note")
    if parts > _MOST_PARTS:
        yield html_tag("p", f"{parts - _MOST_PARTS:,} more parts are not shown.", class_="note")


def _decision_row(step: Step) -> tuple[str, str, str, str]:
    return step.hook, _answer_text(step.value), step.plugin, ", ".join(step.wrapped_by)


def _answer_text(value: Any) -> str:
    if isinstance(value, Part):
        return f"{value.label or _WORLD}, rank {value.index} of {value.size:,} in it"
    if isinstance(value, Role):
        return value.value
    return (value.name or "none") if isinstance(value, Group) else str(value)
