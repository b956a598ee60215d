"""The pages that links of W&B lead to: a run, a group, a sweep and a project, as small readable HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ._records import RunRecord, SweepRecord

Record = TypeVar("Record", RunRecord, SweepRecord)

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body>
{body}
</body></html>
"""


def page(runs: Iterable[RunRecord], sweeps: Iterable[SweepRecord], parts: Sequence[str]) -> str | None:
    """Return the HTML page of a path, or None where there is nothing.

    Args:
        runs: All runs of the server.
        sweeps: All its sweeps.
        parts: Decoded parts of the path: one empty text for the server's page, an entity, or entity and project, then
            nothing, ``runs`` and a run's id, ``groups``, a group's name and ``workspace``, ``sweeps``, or ``sweeps``
            and a sweep's id.
    """
    match tuple(parts):
        case ("",):
            return _html("Runs", _list(runs))
        case (entity,):
            return _list_page(entity, [run for run in runs if run.entity == entity])
        case (entity, project, *rest):
            inside = _of_project(runs, entity, project)
            names = {sweep.id: sweep.display_name for sweep in _of_project(sweeps, entity, project)}
        case _:
            return None
    match rest:
        case []:
            return _list_page(project, inside)
        case ["runs", run_id]:
            return next((_run_page(run) for run in inside if run.id == run_id), None)
        case ["groups", group, "workspace"]:
            return _list_page(f"Group {group}", [run for run in inside if run.group == group])
        case ["sweeps"] if names:
            return _html("Sweeps", _list(run for run in inside if run.sweep in names))
        case ["sweeps", sweep] if sweep in names:
            return _html(f"Sweep {names[sweep]}", _list(run for run in inside if run.sweep == sweep))
    return None


def not_found(path: str) -> str:
    """Return the HTML page for a path where there is nothing."""
    return _html("Not found", f"<p>There is nothing at {escape(path)}.</p>")


def _of_project(records: Iterable[Record], entity: str, project: str) -> list[Record]:
    return [record for record in records if (record.entity, record.project) == (entity, project)]


def _list_page(title: str, runs: Sequence[RunRecord]) -> str | None:
    return _html(title, _list(runs)) if runs else None


def _list(runs: Iterable[RunRecord]) -> str:
    lines = (f"<li>{_link(run.url, run.display_name)}: {run.state}, {len(run.history)} rows</li>" for run in runs)
    return f"<ul>\n{_joined(lines)}\n</ul>"


def _run_page(run: RunRecord) -> str:
    project = run.url.rpartition("/runs/")[0]
    facts: dict[str, Any] = {"Id": run.id, "State": run.state, "Tags": ", ".join(run.tags)}
    facts |= {} if run.exit_code is None else {"Exit code": run.exit_code}
    body = f"<p>{_link(project, run.project)}{_group_link(project, run.group)}</p>\n{_facts('Run', facts)}"
    body += f"\n{_facts('Config', run.config)}\n{_facts('Summary', run.summary)}\n{_history(run.history)}"
    return _html(run.display_name, body)


def _group_link(project: str, group: str | None) -> str:
    return "" if group is None else f" / {_link(f'{project}/groups/{quote(group, safe=str())}/workspace', group)}"


def _facts(title: str, facts: dict[str, Any]) -> str:
    lines = (f"<dt>{escape(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts.items())
    return f"<h2>{title}</h2>\n<dl>\n{_joined(lines)}\n</dl>"


def _history(rows: Sequence[dict[str, Any]]) -> str:
    names = sorted({name for row in rows for name in row}, key=lambda name: (name != "_step", name))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    cells = ("".join(f"<td>{_text(row.get(name, ''))}</td>" for name in names) for row in rows)
    lines = (f"<tr>{row}</tr>" for row in cells)
    return f"<h2>History</h2>\n<table>\n<tr>{head}</tr>\n{_joined(lines)}\n</table>"


def _text(value: object) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value))


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}">{escape(text)}</a>'


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _html(title: str, body: str) -> str:
    return _PAGE.format(title=escape(title), body=f"<h1>{escape(title)}</h1>\n{body}")
