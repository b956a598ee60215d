"""`flyte-wandb plan`: the preview of a task, as tables or as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click
from rich.console import Console

from flyte_wandb import Plan, Preview, SettingError, preview, wandb_config
from flyte_wandb._logging import listed
from flyte_wandb.cli._load_task import load_task
from flyte_wandb.cli._screen import cell_text, get_console, new_table
from flyte_wandb.links._per_part import build_task_links
from flyte_wandb.plans._inherited import write_run
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plans._summary import summarize_parts
from flyte_wandb.plans._world import TYPICAL_LAUNCHER
from flyte_wandb.settings._schema import check_settings
from flyte_wandb.tasks._preview import NAMES, preview_of
from flyte_wandb_hookspecs import ParentRun, Topology

MOST_LISTED: Final = 32
"""Ranks that are listed one by one; a larger world is summed up by part."""

_MOST_PARTS: Final = 16
"""Parts that are listed, so that the links and the summary behind them stay on one screen."""

_WORLD: Final = "all"
"""What the part without a label is called."""

_MEANINGS: Final = {
    str(NAMES.run_name): "the run's name",
    str(NAMES.name): "the action's name",
    str(NAMES.project): "the project's name",
    str(NAMES.domain): "the domain's name",
}
"""What Flyte puts in for each placeholder."""

_COLOURS: Final = {
    "solo": "green",
    "primary": "green",
    "secondary": "cyan",
    "join": "cyan",
    "monitor": "cyan",
    "skip": "dim",
}


def show_plan(
    target: str | None,
    *,
    nodes: int | None,
    per_node: int | None,
    parent: str | None,
    every: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Print the preview of a task, or of a world without one.

    Args:
        target: ``MODULE:TASK``, or None.
        nodes: Nodes to plan for, or None for those declared.
        per_node: Ranks on each, or None for those declared.
        parent: The id of the run of the task above, or None.
        every: Whether to list every rank.
        as_json: Whether to print every rank as JSON.
        settings: Settings as of `wandb_config`.
    """
    checked = check_settings(settings, "plan")
    parent_context = write_run(ParentRun(run_id=parent)) if parent else {}
    with contextlib.redirect_stdout(sys.stderr):  # what a module or plugin prints is no part of the answer
        if target is None:
            planned = _preview_world(checked, parent_context, nodes, per_node)
        else:
            context = {**wandb_config(**settings), **parent_context}
            planned = preview(load_task(target), context=context, nodes=nodes, per_node=per_node)
    if as_json:
        click.echo(json.dumps(_as_json(planned)))
    else:
        _print_plan(get_console(), planned, listed=every or len(planned.plans) <= MOST_LISTED)


def _preview_world(
    settings: dict[str, Any], context: dict[str, str], nodes: int | None, per_node: int | None
) -> Preview:
    if nodes is None and per_node is None:
        raise SettingError("say what to plan: MODULE:TASK, or a world such as --nodes 2 --per-node 8")
    world = Topology.even(nodes or 1, per_node or 1, launcher=TYPICAL_LAUNCHER)
    spec = Spec(settings=settings, declared=world)
    return preview_of(spec, build_task_links(spec), context)


def _print_plan(console: Console, planned: Preview, *, listed: bool) -> None:
    if listed:
        console.print(_build_rank_table(planned), "")
    else:
        _print_parts(console, planned)
    _print_links(console, planned)
    _print_authors(console, planned)
    # Not wrapped at 80 columns: people copy ids and addresses, and search for them in what a job has printed.
    console.print(f"[bold]{cell_text(planned.summary)}[/]", soft_wrap=True)
    if replaced := _placeholders_of(planned):
        console.print(f"[dim]At launch Flyte replaces {replaced}.[/]")


def _build_rank_table(planned: Preview) -> Any:
    table = new_table("part", "rank", "role", "run", "group", "link", numbers=("rank", "link"))
    for rank, plan in enumerate(planned.plans):
        role = f"[{_COLOURS[plan.role.value]}]{plan.role.value}[/]"
        cells = (plan.run_id, plan.group, _link_number(planned, rank))
        table.add_row(cell_text(plan.part.label or _WORLD), str(rank), role, *map(cell_text, cells))
    return table


def _print_parts(console: Console, planned: Preview) -> None:
    table = new_table("part", "ranks", "roles", "runs", "group", "link", numbers=("link",))
    parts = summarize_parts(planned.plans)
    for part in parts[:_MOST_PARTS]:
        cells = (part.runs, part.groups, _link_number(planned, part.first))
        table.add_row(cell_text(part.label or _WORLD), part.ranks, part.roles, *map(cell_text, cells))
    console.print(table)
    if len(parts) > _MOST_PARTS:
        console.print(f"... and {len(parts) - _MOST_PARTS:,} more parts; --all lists every rank")
    console.print()


def _link_number(planned: Preview, rank: int) -> int | None:
    link = planned.link_of(rank)
    return None if link is None else planned.links.index(link) + 1


def _print_links(console: Console, planned: Preview) -> None:
    for number, link in enumerate(planned.links, 1):
        console.print(f"link {number}: {cell_text(link.name)}")
        console.print(f"  [cyan]{cell_text(link.url)}[/]", soft_wrap=True)
    # As a dict, because links of one task usually have one and the same note.
    of_links = (link.note for link in planned.links)
    notes = [planned.request.topology.caveat, *of_links, *_unlinked_note(planned), *planned.notes]
    for note in dict.fromkeys(filter(None, notes)):
        console.print(f"[yellow]Note: {cell_text(note)}[/]")
    console.print()


def _unlinked_note(planned: Preview) -> Iterator[str]:
    if planned.links and planned.unlinked:
        parts = f"{planned.unlinked[0]}{' and others' if len(planned.unlinked) > 1 else ''}"
        yield (
            f"no link leads to the run of {parts}: Flyte fixes the number of links when a task is decorated, so set "
            "rank_scope in its wandb_init"
        )
    if planned.unlinked_ranks:
        ranks = listed([str(rank) for rank in planned.unlinked_ranks])
        yield (
            f"no link leads to the runs of these ranks: {ranks}. A part has one link, and it leads to the run of "
            "another rank; put the runs of a part into a group, and have build_link lead to the group"
        )


def _print_authors(console: Console, planned: Preview) -> None:
    """Print who took which decision how often; one line where one plugin took all of them."""
    authors = planned.authors()
    names = {author for counts in authors.values() for author in counts}
    if len(names) == 1 and not any(wrappers for _, wrappers in names):
        ((plugin, _),) = names
        console.print(f"all decisions: {cell_text(plugin)}", "", sep="\n")
        return
    table = new_table("decision", "plugin", "wrapped by", "times", numbers=("times",))
    for hook, counts in authors.items():
        for (plugin, wrappers), times in counts.most_common():
            table.add_row(hook, cell_text(plugin), cell_text(", ".join(wrappers)), f"{times:,}")
    console.print(table, "")


def _placeholders_of(planned: Preview) -> str:
    """List the placeholders that the plan shows, and what each of them stands for."""
    names = (name for plan in planned.plans for name in (plan.run_id, plan.group) if name)
    shown = "\n".join([*names, *(link.url for link in planned.links)])
    return " and ".join(f"{name} by {meaning}" for name, meaning in _MEANINGS.items() if name in shown)


def _as_json(planned: Preview) -> dict[str, Any]:
    topology, settings = planned.request.topology, planned.request.settings
    links = [{"name": link.name, "url": link.url, "rank": link.rank, "note": link.note} for link in planned.links]
    world = {"ranks": topology.world_size, "nodes": topology.num_workers, "launcher": topology.launcher}
    return {
        "task": planned.request.task_name,
        "run_mode": settings.run_mode,
        "rank_scope": settings.rank_scope,
        "system_metrics": settings.system_metrics,
        "world": {**world, "caveat": topology.caveat},
        "names": {"run": NAMES.run_name, "action": NAMES.name, "project": NAMES.project, "domain": NAMES.domain},
        "ranks": [_rank_as_json(planned, rank, plan) for rank, plan in enumerate(planned.plans)],
        "links": links,
        "notes": planned.notes,
        "summary": {"runs": len(planned.runs), "groups": len(planned.groups), "links": len(planned.links)},
    }


def _rank_as_json(planned: Preview, rank: int, plan: Plan) -> dict[str, Any]:
    link = planned.link_of(rank)
    return {
        "rank": rank,
        "part": plan.part.label,
        "role": plan.role.value,
        "run": plan.run_id,
        "group": plan.group,
        "link": link and link.url,
        "decided_by": {step.hook: [step.plugin, *step.wrapped_by] for step in plan.steps},
    }
