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
from flyte_wandb.cli._load_task import load_task
from flyte_wandb.cli._screen import cell_text, get_console, new_table
from flyte_wandb.links._per_part import build_task_links
from flyte_wandb.plans._inherited import write_run
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plans._summary import summarize_parts
from flyte_wandb.plans._world import even_world
from flyte_wandb.settings._schema import check_settings
from flyte_wandb.tasks._preview import NAMES, preview_of
from flyte_wandb_hookspecs import ParentRun

MOST_LISTED: Final = 32
"""Ranks that are listed one by one; a larger world is summed up by part."""

_MOST_PARTS: Final = 16
_WORLD: Final = "all"
_COLOURS: Final = {"solo": "green", "primary": "green", "secondary": "cyan", "join": "cyan", "skip": "dim"}


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
        as_json: Whether to print JSON, of every rank.
        settings: Settings as of `wandb_config`.
    """
    given = check_settings(settings, "plan")
    above = write_run(ParentRun(run_id=parent)) if parent else {}
    with contextlib.redirect_stdout(sys.stderr):  # what a module or plugin prints is no part of the answer
        if target is None:
            found = _preview_world(given, above, nodes, per_node)
        else:
            context = {**wandb_config(**settings), **above}
            found = preview(load_task(target), context=context, nodes=nodes, per_node=per_node)
    if as_json:
        click.echo(json.dumps(_as_json(found)))
    else:
        _print_plan(get_console(), found, listed=every or len(found.plans) <= MOST_LISTED)


def _preview_world(
    settings: dict[str, Any], context: dict[str, str], nodes: int | None, per_node: int | None
) -> Preview:
    if nodes is None and per_node is None:
        raise SettingError("say what to plan: MODULE:TASK, or a world such as --nodes 2 --per-node 8")
    spec = Spec(settings=settings, declared=even_world(nodes or 1, per_node or 1))
    return preview_of(spec, build_task_links(spec), context)


def _print_plan(console: Console, found: Preview, *, listed: bool) -> None:
    if listed:
        console.print(_rank_table(found), "")
    else:
        _print_parts(console, found)
    _print_links(console, found)
    console.print(_author_lines(found), "")
    console.print(f"[bold]{cell_text(found.summary)}[/]", soft_wrap=True)
    console.print(f"[dim]{NAMES.run_name} and {NAMES.name} stand for the names that Flyte gives at the launch.[/]")


def _rank_table(found: Preview) -> Any:
    made = new_table("part", "rank", "role", "run", "group", "link", numbers=("rank", "link"))
    for rank, one in enumerate(found.plans):
        cells = (one.run_id, one.group, _link_number(found, rank))
        made.add_row(cell_text(one.part.label or _WORLD), str(rank), _role_text(one.role.value), *map(cell_text, cells))
    return made


def _print_parts(console: Console, found: Preview) -> None:
    made = new_table("part", "ranks", "roles", "runs", "group", "link", numbers=("link",))
    parts = summarize_parts(found.plans)
    for part in parts[:_MOST_PARTS]:
        cells = (part.runs, part.groups, _link_number(found, part.first))
        made.add_row(cell_text(part.label or _WORLD), part.ranks, part.roles, *map(cell_text, cells))
    console.print(made)
    if len(parts) > _MOST_PARTS:
        console.print(f"... and {len(parts) - _MOST_PARTS:,} more parts; --all lists every rank")
    console.print()


def _link_number(found: Preview, rank: int) -> int | None:
    link = found.link_of(rank)
    return None if link is None else found.links.index(link) + 1


def _role_text(role: str) -> str:
    return f"[{_COLOURS[role]}]{role}[/]"


def _print_links(console: Console, found: Preview) -> None:
    for number, link in enumerate(found.links, 1):
        console.print(f"link {number}: {cell_text(link.name)}")
        console.print(f"  [cyan]{cell_text(link.url)}[/]", soft_wrap=True)
    for note in dict.fromkeys([*(link.note for link in found.links if link.note), *_unlinked_note(found)]):
        console.print(f"[yellow]Note: {cell_text(note)}[/]")
    console.print()


def _unlinked_note(found: Preview) -> Iterator[str]:
    if found.links and found.unlinked:
        parts = f"{found.unlinked[0]}{' and others' if len(found.unlinked) > 1 else ''}"
        yield (
            f"no link leads to the run of {parts}: Flyte fixes the number of links when a task is decorated, so name "
            "rank_scope in its wandb_init"
        )


def _author_lines(found: Preview) -> Any:
    made = new_table("decision", "plugin", "wrapped by", "times", numbers=("times",))
    for hook, counted in found.authors().items():
        for (plugin, wrappers), times in counted.most_common():
            made.add_row(hook, cell_text(plugin), cell_text(", ".join(wrappers)), f"{times:,}")
    return made


def _as_json(found: Preview) -> dict[str, Any]:
    topology, settings = found.request.topology, found.request.settings
    return {
        "task": found.request.task_name,
        "run_mode": settings.run_mode,
        "rank_scope": settings.rank_scope,
        "world": {"ranks": topology.world_size, "nodes": topology.num_workers, "launcher": topology.launcher},
        "names": {"run": NAMES.run_name, "action": NAMES.name, "project": NAMES.project, "domain": NAMES.domain},
        "ranks": [_rank_as_json(found, rank, one) for rank, one in enumerate(found.plans)],
        "links": [{"name": link.name, "url": link.url, "rank": link.rank, "note": link.note} for link in found.links],
        "summary": {"runs": len(found.runs), "groups": len(found.groups), "links": len(found.links)},
    }


def _rank_as_json(found: Preview, rank: int, one: Plan) -> dict[str, Any]:
    link = found.link_of(rank)
    return {
        "rank": rank,
        "part": one.part.label,
        "role": one.role.value,
        "run": one.run_id,
        "group": one.group,
        "link": link and link.url,
        "decided_by": {step.hook: [step.plugin, *step.wrapped_by] for step in one.steps},
    }
