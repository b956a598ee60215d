"""The operations of `wandb.Api()` that read runs, their history and their files; lists come on one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ._calls import Answer, Call, connection
from ._run import Run


def _run(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key()) as run:
        return _in_project(run=None if run is None else _node(run))


def _runs(call: Call) -> dict[str, Any]:
    place = call.key()[:2]
    wanted = json.loads(call.variables.get("filters") or "{}")
    with call.store.reading_all() as runs:
        nodes = [_node(run) for run in runs if run.key[:2] == place]
    found = [node for node in nodes if _matches(node, wanted)]
    return _in_project(runs=connection(found), runCount=len(found), readOnly=False)


def _matches(node: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Compare a run with a filter, which names the fields as the node does. Of the operators only ``$and`` works."""
    own = {name: value for name, value in wanted.items() if name != "$and"}
    same = all(node[name] == value or (name == "tags" and value in node[name]) for name, value in own.items())
    return same and all(_matches(node, part) for part in wanted.get("$and", []))


def _history(call: Call) -> dict[str, Any]:
    return _in_project(run={"history": [json.dumps(row) for row in _rows(call)], "events": []})


def _sampled_history(call: Call) -> dict[str, Any]:
    """Give all rows that have all keys of a spec, however few samples it asks for."""
    told, rows = call.variables, _rows(call)
    specs = told.get("specs") or [told["spec"]]
    return _in_project(run={"sampledHistory": [_columns(rows, json.loads(spec)["keys"]) for spec in specs]})


def _columns(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in names} for row in rows if all(name in row for name in names)]


def _history_keys(call: Call) -> dict[str, Any]:
    rows = _rows(call)
    last = max((row["_step"] for row in rows), default=-1)
    return _in_project(run={"historyKeys": {"keys": {name: {} for row in rows for name in row}, "lastStep": last}})


def _exported_history(call: Call) -> dict[str, Any]:
    """Say that no rows were exported, so that the client asks for the live ones."""
    return _in_project(run={"parquetHistory": {"parquetUrls": [], "liveData": []}})


def _rows(call: Call) -> list[dict[str, Any]]:
    """Return the rows of history from the call's `minStep` up to, but without, its `maxStep`, where it gives them."""
    name = next(name for name in ("name", "run", "runName") if name in call.variables)
    first, end = call.variables.get("minStep") or 0, call.variables.get("maxStep")
    with call.store.reading(call.key(name)) as run:
        rows = [] if run is None else [run.rows[line] for line in sorted(run.rows)]
    return [row for row in rows if first <= row["_step"] and (end is None or row["_step"] < end)]


def _files(call: Call) -> dict[str, Any]:
    key = call.key()
    with call.store.reading(key) as run:
        contents = {} if run is None else dict(run.files)
    wanted = call.variables.get("fileNames") or list(contents)
    nodes = [_file_node(name, contents[name], call.file_url(key, name)) for name in wanted if name in contents]
    return _in_project(run={"fileCount": len(contents), "files": connection(nodes)})


def _in_project(**answer: Any) -> dict[str, Any]:
    return {"project": {"id": "1", "internalId": "1", **answer}}


def _node(run: Run) -> dict[str, Any]:
    record = run.record()
    return {
        "id": record.url,
        "name": record.id,
        "displayName": record.display_name,
        "state": record.state,
        "group": record.group,
        "jobType": record.job_type,
        "tags": list(record.tags),
        "notes": record.notes,
        "description": record.notes,
        "config": json.dumps(run.config),
        "summaryMetrics": json.dumps(run.summary),
        "systemMetrics": "{}",
        "historyLineCount": len(record.history),
        "historyKeys": None,
        "sweepName": None,
        "commit": None,
        "readOnly": False,
        "projectId": "1",
        "createdAt": "1970-01-01T00:00:00Z",
        "heartbeatAt": "1970-01-01T00:00:00Z",
        "user": {"name": record.entity, "username": record.entity},
    }


def _file_node(name: str, content: bytes, url: str) -> dict[str, Any]:
    return {
        "id": url,
        "name": name,
        "url": url,
        "directUrl": url,
        "sizeBytes": len(content),
        "mimetype": None,
        "md5": None,
    }


ANSWERS: Final[Mapping[str, Answer]] = {
    "HistoryPage": _history,
    "Run": _run,
    "RunFiles": _files,
    "RunFullHistory": _history,
    "RunHistoryKeys": _history_keys,
    "RunParquetHistory": _exported_history,
    "RunSampledHistory": _sampled_history,
    "Runs": _runs,
    "SampledHistoryPage": _sampled_history,
}
"""The operations by name."""
