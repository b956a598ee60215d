"""The pages that links of W&B lead to: runs, groups, sweeps, artifacts and projects, drawn as a task's report is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ...results.report._history import History
from ...results.report._html import Html, html_tag, join_html
from ...results.report._numbers import format_number
from ...results.report._run_section import build_logged_sections
from ...results.report._style import STYLE
from ...results.report._tables import build_facts, build_table
from ...wandb_client._log_values import LogEntry
from ..state._records import ArtifactRecord, RunRecord, SweepRecord

Record = TypeVar("Record", RunRecord, SweepRecord, ArtifactRecord)

_LAST_ROWS: Final = 20
_BODY: Final = "body{margin:0}@media(prefers-color-scheme:dark){body{background:#0d1117}}"
_BAD: Final = ("failed", "crashed", "killed", "preempted")


def page(
    runs: Iterable[RunRecord], sweeps: Iterable[SweepRecord], artifacts: Iterable[ArtifactRecord], parts: Sequence[str]
) -> str | None:
    """Return the HTML page of a path, or None where there is nothing.

    Args:
        runs: All runs of the server.
        sweeps: All its sweeps.
        artifacts: All versions of its artifacts.
        parts: Decoded parts of the path: one empty text for the server's page, an entity, or entity and project, then
            nothing, or ``workspace``; ``runs`` and a run's id; ``groups``, a group's name and ``workspace``;
            ``sweeps``, or ``sweeps`` and a sweep's id; ``artifacts``, a type, a name and a version.
    """
    match tuple(parts):
        case ("",):
            return _page("Runs", _runs(runs))
        case (entity,):
            return _listed(entity, [run for run in runs if run.entity == entity])
        case (entity, project, *rest):
            inside, own = _of_project(runs, entity, project), _of_project(artifacts, entity, project)
            searches = {sweep.id: sweep for sweep in _of_project(sweeps, entity, project)}
        case _:
            return None
    match rest:
        case [] | ["workspace"]:
            return _listed(project, inside)
        case ["runs", run_id]:
            return next((_run(run, own) for run in inside if run.id == run_id), None)
        case ["groups", group, "workspace"]:
            return _listed(f"Group {group}", [run for run in inside if run.group == group])
        case ["sweeps"] if searches:
            return _page("Sweeps", _runs(run for run in inside if run.sweep in searches))
        case ["sweeps", sweep] if sweep in searches:
            return _sweep(searches[sweep], [run for run in inside if run.sweep == sweep])
        case ["artifacts", _, name, version]:
            return next((_artifact(one) for one in own if (one.name, f"v{one.version}") == (name, version)), None)
    return None


def not_found(path: str) -> str:
    """Return the HTML page for a path where there is nothing."""
    return _page("Not found", html_tag("p", f"There is nothing at {path}."))


def _of_project(records: Iterable[Record], entity: str, project: str) -> list[Record]:
    return [record for record in records if (record.entity, record.project) == (entity, project)]


def _listed(title: str, runs: Sequence[RunRecord]) -> str | None:
    return _page(title, _runs(runs)) if runs else None


def _runs(runs: Iterable[RunRecord]) -> Html:
    rows = [(_link(run.url, run.display_name), _state(run), run.group, f"{len(run.history):,}") for run in runs]
    return build_table(("Run", "State", "Group", "Rows"), rows)


def _run(run: RunRecord, artifacts: Iterable[ArtifactRecord]) -> str:
    place, _, _ = run.url.rpartition("/runs/")
    group = run.group and _link(f"{place}/groups/{quote(run.group, safe='')}/workspace", run.group)
    told = [("Id", run.id), ("State", _state(run)), ("Project", _link(place, run.project)), ("Group", group)]
    told += [("Sweep", run.sweep and _link(f"{place}/sweeps/{run.sweep}", run.sweep)), ("Tags", ", ".join(run.tags))]
    told += [("Exit code", None if run.exit_code is None else str(run.exit_code)), ("Notes", run.notes)]
    own = [one for one in artifacts if run.id in (one.logged_by, *one.used_by)]
    links = [(_artifact_link(one, place), "logged" if one.logged_by == run.id else "used") for one in own]
    folder = f"/files/{'/'.join(quote(part, safe='') for part in (run.entity, run.project, run.id))}"
    files = [
        (_link(f"{folder}?name={quote(name, safe='')}", name), f"{size:,}") for name, size in run.file_sizes.items()
    ]
    return _page(
        run.display_name,
        build_facts(told),
        *build_logged_sections(_history(run)),
        _section("Artifacts", build_table(("Artifact", "The run has"), links)) if own else None,
        _section("Files", build_table(("File", "Bytes"), files)) if files else None,
        _section(f"Last {_LAST_ROWS} rows", _last_rows(run.history)),
        _section("Console", html_tag("pre", run.console)) if run.console else None,
    )


def _history(run: RunRecord) -> History:
    """Return what a report draws of a run."""
    history = History(whole=True)
    for row in run.history:
        history.add_entry(LogEntry("history", _flat(row), int(row["_step"])))
    history.add_entry(LogEntry("summary", _flat(run.summary)))
    history.add_entry(LogEntry("config", _flat(run.config)))
    return history


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value)


def _last_rows(rows: Sequence[dict[str, Any]]) -> Html:
    shown = rows[-_LAST_ROWS:]
    names = sorted({name for row in shown for name in row}, key=lambda name: (name != "_step", name))
    return build_table(names, [[_text(row[name]) if name in row else None for name in names] for row in shown])


def _sweep(sweep: SweepRecord, runs: Sequence[RunRecord]) -> str:
    """Return a sweep's page with its trials, the best first and those without a value last."""
    metric: Mapping[str, Any] = sweep.config.get("metric") or {}
    name, sign = metric.get("name", ""), -1 if metric.get("goal") == "maximize" else 1
    known = [(run.summary[name], run) for run in runs if isinstance(run.summary.get(name), (int, float))]
    best = [run for _, run in sorted(known, key=lambda one: sign * one[0])]
    varied = list(sweep.config.get("parameters") or {})
    rows = [
        [
            _link(run.url, run.display_name),
            _state(run),
            _text(run.summary.get(name, "")),
            *(_text(run.config.get(one, "")) for one in varied),
        ]
        for run in [*best, *(run for run in runs if run not in best)]
    ]
    told = [("Id", sweep.id), ("State", sweep.state), ("Method", sweep.config["method"]), ("Agents", str(sweep.agents))]
    trials = build_table(("Run", "State", name or "Metric", *varied), rows)
    return _page(f"Sweep {sweep.display_name}", build_facts(told), _section("Trials, best first", trials))


def _artifact(artifact: ArtifactRecord) -> str:
    told = [("Type", artifact.type), ("Aliases", ", ".join(artifact.aliases)), ("Logged by", artifact.logged_by)]
    told += [("Used by", ", ".join(artifact.used_by)), ("Linked to", ", ".join(artifact.linked))]
    told += [("Description", artifact.description), *_flat(artifact.metadata)]
    files = [(name, f"{size:,}") for name, size in artifact.file_sizes.items()]
    return _page(
        f"{artifact.name}:v{artifact.version}",
        build_facts(told),
        _section("Files", build_table(("File", "Bytes"), files)),
    )


def _artifact_link(artifact: ArtifactRecord, place: str) -> Html:
    path = "/".join(quote(part, safe="") for part in (artifact.type, artifact.name, f"v{artifact.version}"))
    return _link(f"{place}/artifacts/{path}", f"{artifact.name}:v{artifact.version}")


def _state(run: RunRecord) -> Html:
    kind = "bad" if run.state in _BAD else "good" if run.state == "finished" else None
    return html_tag("span", run.state, class_=kind)


def _text(value: object) -> str:
    if isinstance(value, float):
        return format_number(value)
    return value if isinstance(value, str) else json.dumps(value)


def _link(url: str, text: str) -> Html:
    return html_tag("a", text, href=url)


def _section(title: str, content: Html) -> Html:
    return html_tag("section", html_tag("h3", title), content)


def _page(title: str, *content: Html | None) -> str:
    """Return a whole page, which needs nothing from elsewhere."""
    body = html_tag(
        "div", html_tag("style", STYLE), html_tag("header", html_tag("h2", title)), *content, class_="flyte-wandb"
    )
    view = Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">')
    head = html_tag("head", view, html_tag("title", title), html_tag("style", Html(_BODY)))
    return join_html(Html("<!DOCTYPE html>\n"), html_tag("html", head, html_tag("body", body), lang="en"))
