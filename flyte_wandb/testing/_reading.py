"""The operations of `wandb.Api()` that read runs, their history and their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from ._calls import EPOCH, Answer, Call, connection, instant
from ._listing import matches, ordered
from ._run import File, Run, console_line

T = TypeVar("T")

_HEAVY: Final = ("config", "summaryMetrics", "systemMetrics", "historyKeys")


def _run(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key()) as run:
        return call.in_project(run=None if run is None else _told(call)(run))


def _runs(call: Call) -> dict[str, Any]:
    told, place = call.variables, call.key()[:2]
    wanted = json.loads(told.get("filters") or "{}")
    with call.store.reading_all() as runs:
        found = [run for run in runs if run.key[:2] == place and matches(run, wanted)]
        found = ordered(found, told.get("order") or "+created_at")
        page = connection(found, _told(call), told.get("cursor"), told.get("perPage"))
    return call.in_project(runs=page, runCount=len(found), readOnly=False)


def _told(call: Call) -> Callable[[Run], dict[str, Any]]:
    """Return what is told of a run: clients ask for a list without its large parts, and for those run by run."""
    return _light_node if "LightweightRunFragment" in call.query else node


def _full_history(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key()) as run:
        rows, metrics = ([], []) if run is None else (run.rows_between(0, None), _in_order(run.metrics))
    samples = call.variables.get("samples")
    return call.in_project(
        run={"history": _texts(_sampled(rows, samples)), "events": _texts(_sampled(metrics, samples))}
    )


def _history_page(call: Call) -> dict[str, Any]:
    told = call.variables
    return call.in_project(run={"history": _texts(_rows(call, told["minStep"], told["maxStep"] - 1))})


def _sampled_history(call: Call) -> dict[str, Any]:
    """Give rows that have all keys of a spec, whose `maxStep` counts, unlike that of a page."""
    told = call.variables
    specs = [json.loads(spec) for spec in told.get("specs") or [told["spec"]]]
    return call.in_project(run={"sampledHistory": [_samples(call, spec) for spec in specs]})


def _samples(call: Call, spec: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    keys, rows = spec["keys"], _rows(call, spec.get("minStep", 0), spec.get("maxStep"))
    found = [{key: row[key] for key in keys} for row in rows if all(key in row for key in keys)]
    return _sampled(found, spec["samples"])


def _history_keys(call: Call) -> dict[str, Any]:
    rows = _rows(call)
    last = max((row["_step"] for row in rows), default=-1)
    return call.in_project(run={"historyKeys": {"keys": {name: {} for row in rows for name in row}, "lastStep": last}})


def _exported_history(call: Call) -> dict[str, Any]:
    """Say that no rows were exported, so that the client asks for the live ones."""
    return call.in_project(run={"parquetHistory": {"parquetUrls": [], "liveData": []}})


def _rows(call: Call, first: int = 0, last: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of history from one step to another."""
    name = next(name for name in ("name", "run", "runName") if name in call.variables)
    with call.store.reading(call.key(name)) as run:
        return [] if run is None else run.rows_between(first, last)


def _in_order(rows: Mapping[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[line] for line in sorted(rows)]


def _sampled(rows: Sequence[T], samples: int | None) -> Sequence[T]:
    """Return at most so many rows, the first and the last among them."""
    if samples is None or len(rows) <= samples:
        return rows
    return [rows[number * (len(rows) - 1) // max(samples - 1, 1)] for number in range(samples)]


def _texts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [json.dumps(row) for row in rows]


def _files(call: Call) -> dict[str, Any]:
    told, key = call.variables, call.key()
    with call.store.reading(key) as run:
        files = {} if run is None else dict(run.files)
    wanted = [name for name in told.get("fileNames") or files if name in files]
    page = connection(
        wanted,
        lambda name: _file_node(name, files[name], call.file_url(key, name)),
        told.get("fileCursor"),
        told.get("fileLimit"),
    )
    return call.in_project(run={"fileCount": len(files), "files": page})


def _console_page(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key("runName")) as run:
        lines = [] if run is None else run.console
    told, numbered = call.variables, list(enumerate(map(console_line, lines)))
    tail = told.get("last")
    page = connection(
        numbered if tail is None else numbered[-tail:],
        lambda line: {"number": line[0], "line": line[1].text, **line[1]._asdict()},
        told.get("after"),
        told.get("first"),
    )
    return call.in_project(run=None if run is None else {"logLineCount": len(lines), "logLines": page})


def _info(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key("run" if "run" in call.variables else "name")) as run:
        return call.in_project(run=None if run is None else node(run))


def node(run: Run) -> dict[str, Any]:
    """Return all that is told of a run."""
    return {
        "id": run.url,
        "name": run.key.id,
        "displayName": run.display_name or run.key.id,
        "state": run.state,
        "group": run.group,
        "jobType": run.job_type,
        "tags": list(run.tags),
        "notes": run.notes,
        "description": run.notes,
        "config": json.dumps(run.config),
        "summaryMetrics": json.dumps(run.summary),
        "systemMetrics": "{}",
        "historyLineCount": len(run.rows),
        "historyKeys": None,
        "sweepName": run.sweep,
        "commit": None,
        "readOnly": False,
        "projectId": "1",
        "createdAt": instant(run.created),
        "heartbeatAt": instant(run.heartbeat),
        "user": {"name": run.key.entity, "username": run.key.entity},
    }


def _light_node(run: Run) -> dict[str, Any]:
    return {name: value for name, value in node(run).items() if name not in _HEAVY}


def _file_node(name: str, file: File, url: str) -> dict[str, Any]:
    return {
        "id": url,
        "name": name,
        "url": url,
        "directUrl": url,
        "sizeBytes": len(file.content),
        "mimetype": None,
        "updatedAt": EPOCH,
        "md5": file.md5,
    }


ANSWERS: Final[Mapping[str, Answer]] = {
    "HistoryPage": _history_page,
    "QueryRunInfo": _info,
    "Run": _run,
    "RunConsoleLogPage": _console_page,
    "RunConsoleLogTail": _console_page,
    "RunFiles": _files,
    "RunFullHistory": _full_history,
    "RunHistoryKeys": _history_keys,
    "RunParquetHistory": _exported_history,
    "RunState": _info,
    "RunSampledHistory": _sampled_history,
    "Runs": _runs,
    "SampledHistoryPage": _sampled_history,
}
"""The operations by name."""
