"""The operations of `wandb.Api()` that read runs, their history and their files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from ..rules._filters import Field, look_up, matches, ordered
from ..state._run import Run, console_line
from ._calls import Call, answers, connection, entity, file_node, instant

T = TypeVar("T")

_FIELDS: Final[Mapping[str, Callable[[Run], Any]]] = {
    "createdat": lambda run: instant(run.created),
    "displayname": lambda run: run.display_name or run.key.id,
    "entity": lambda run: run.key.entity,
    "group": lambda run: run.group,
    "heartbeatat": lambda run: instant(run.heartbeat),
    "jobtype": lambda run: run.job_type,
    "name": lambda run: run.key.id,
    "notes": lambda run: run.notes,
    "project": lambda run: run.key.project,
    "state": lambda run: run.state,
    "sweep": lambda run: run.sweep,
    "tags": lambda run: run.tags,
    "user": lambda run: run.key.entity,
    "username": lambda run: run.key.entity,
}
_HEAVY: Final = ("config", "summaryMetrics", "systemMetrics", "historyKeys")


@answers("QueryRunInfo", "Run", "RunState")
def _run(call: Call) -> dict[str, Any]:
    run = call.run("run", "name")
    return call.in_project(run=None if run is None else _wanted_node(call, run))


@answers("Runs")
def _runs(call: Call) -> dict[str, Any]:
    wanted = json.loads(call.variables.get("filters") or "{}")
    own = [run for run in call.store.runs.values() if run.key[:2] == call.place()]
    found = [run for run in own if matches(_fields(run), wanted)]
    found = ordered(found, _fields, call.variables.get("order") or "+created_at")
    return call.in_project(
        runs=call.page(found, lambda run: _wanted_node(call, run)), runCount=len(found), readOnly=False
    )


def _fields(run: Run) -> Field:
    """Return what filters and orders know of a run: its fields, ``config.NAME`` and ``summary_metrics.NAME``."""

    def field(name: str) -> Any:
        head, *path = name.split(".")
        if path and head == "config":
            entry = run.config.get(path[0], {}).get("value")
            return look_up(entry, path[1:-1] if path[-1] == "value" else path[1:])
        if path and head in ("summary_metrics", "summaryMetrics"):
            return look_up(run.summary, path)
        plain = name.replace("_", "").lower()
        if plain not in _FIELDS:
            raise NotImplementedError(f"it does not know the field {name!r} of runs")
        return _FIELDS[plain](run)

    return field


def _wanted_node(call: Call, run: Run) -> dict[str, Any]:
    """Tell of a run: clients ask for a list without its large parts, and for those run by run."""
    light = "LightweightRunFragment" in call.query
    return {name: value for name, value in run_node(run).items() if not light or name not in _HEAVY}


@answers("RunFullHistory")
def _full_history(call: Call) -> dict[str, Any]:
    run, samples = call.run(), call.variables.get("samples")
    metrics = {} if run is None else run.metrics
    events = [metrics[line] for line in sorted(metrics)]
    return call.in_project(
        run={"history": _texts(_sampled(_rows(run), samples)), "events": _texts(_sampled(events, samples))}
    )


@answers("HistoryPage")
def _history_page(call: Call) -> dict[str, Any]:
    rows = _rows(call.run("run"), call.variables["minStep"], call.variables["maxStep"] - 1)
    return call.in_project(run={"history": _texts(rows)})


@answers("RunSampledHistory", "SampledHistoryPage")
def _sampled_history(call: Call) -> dict[str, Any]:
    """Give rows that have all keys of a spec. The `maxStep` of a spec counts, unlike that of a page."""
    run = call.run("run", "name")
    specs = [json.loads(spec) for spec in call.variables.get("specs") or [call.variables["spec"]]]
    return call.in_project(run={"sampledHistory": [_samples(run, spec) for spec in specs]})


def _samples(run: Run | None, spec: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    keys, rows = spec["keys"], _rows(run, spec.get("minStep", 0), spec.get("maxStep"))
    return _sampled([{key: row[key] for key in keys} for row in rows if row.keys() >= {*keys}], spec["samples"])


@answers("RunHistoryKeys")
def _history_keys(call: Call) -> dict[str, Any]:
    rows = _rows(call.run("run", "name"))
    last = rows[-1]["_step"] if rows else -1
    return call.in_project(run={"historyKeys": {"keys": {name: {} for row in rows for name in row}, "lastStep": last}})


@answers("RunParquetHistory")
def _exported_history(call: Call) -> dict[str, Any]:
    """Say that no rows were exported, so that the client asks for the live ones."""
    return call.in_project(run={"parquetHistory": {"parquetUrls": [], "liveData": []}})


def _rows(run: Run | None, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
    return [] if run is None else run.rows_between(first, last)


def _sampled(rows: Sequence[T], samples: int | None) -> Sequence[T]:
    """Return at most so many rows, the first and the last among them."""
    if samples is None or len(rows) <= samples:
        return rows
    return [rows[number * (len(rows) - 1) // max(samples - 1, 1)] for number in range(samples)]


def _texts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [json.dumps(row) for row in rows]


@answers("RunFiles")
def _files(call: Call) -> dict[str, Any]:
    run, told = call.run(), call.variables
    files, like = {} if run is None else run.files, _read_like(told.get("pattern") or "%")
    names = [name for name in told.get("fileNames") or files if name in files and like.fullmatch(name)]

    def node(name: str) -> dict[str, Any]:
        return file_node(name, call.file_url(call.key(), name), files[name].size, files[name].md5)

    page = connection(names, node, told.get("fileCursor"), told.get("fileLimit"))
    return call.in_project(run={"fileCount": len(files), "files": page})


def _read_like(pattern: str) -> re.Pattern[str]:
    """Return a pattern of SQL's LIKE, where ``%`` is any text and ``_`` one character."""
    marks = {"%": ".*", "_": "."}
    return re.compile("".join(marks.get(character, re.escape(character)) for character in pattern), re.DOTALL)


@answers("RunConsoleLogPage", "RunConsoleLogTail")
def _console_page(call: Call) -> dict[str, Any]:
    run, told = call.run("runName"), call.variables
    lines = list(enumerate(map(console_line, run.console if run else ())))
    page = connection(
        lines[-told["last"] :] if told.get("last") else lines,
        lambda line: {"number": line[0], "line": line[1].text, **line[1]._asdict()},
        told.get("after"),
        told.get("first"),
    )
    return call.in_project(run=None if run is None else {"logLineCount": len(lines), "logLines": page})


def run_node(run: Run) -> dict[str, Any]:
    """Return the whole answer about a run."""
    owner, project, run_id = run.key
    return {
        "id": run.url,
        "name": run_id,
        "displayName": run.display_name or run_id,
        "state": run.state,
        "group": run.group,
        "jobType": run.job_type,
        "tags": list(run.tags),
        "notes": run.notes,
        "description": run.notes,
        "config": json.dumps(run.config),
        "summaryMetrics": json.dumps(run.summary),
        "systemMetrics": json.dumps(run.metrics[max(run.metrics)] if run.metrics else {}),
        "historyLineCount": len(run.rows),
        "historyKeys": None,
        "sweepName": run.sweep,
        "commit": run.commit,
        "readOnly": False,
        "project": {"id": project, "name": project, "entity": entity(owner)},
        "projectId": "1",
        "createdAt": instant(run.created),
        "heartbeatAt": instant(run.heartbeat),
        "user": {"name": owner, "username": owner},
    }
