"""The GraphQL operations that wandb 0.31 needs to log in and to write runs, found by name; queries are not parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from ._run import Run, Sender
from ._store import Store, Upsert

_OPERATION: Final = re.compile(r"\b(?:query|mutation)\s+(\w+)")
_TOLD_ONCE: Final = ("host", "program", "displayName", "groupName", "jobType", "tags", "notes")


@dataclass(frozen=True, slots=True)
class _Call:
    store: Store
    sender: Sender
    variables: Mapping[str, Any]


def answer(store: Store, sender: Sender, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one GraphQL request.

    Args:
        store: The server's state.
        sender: Who sent the request.
        body: ``{"query": text, "variables": {...}}``.

    Returns:
        ``{"data": ...}``, or ``{"errors": [{"message": ...}]}`` for an operation that has no answer.

    Raises:
        RefusedError: No run is opened at the moment.
    """
    found = _OPERATION.search(body.get("query") or "")
    operation = found[1] if found else "(without a name)"
    if operation not in _ANSWERS:
        store.note_unknown(operation)
        return error(f"the W&B double of flyte-wandb has no answer to the operation {operation}")
    return {"data": _ANSWERS[operation](_Call(store, sender, body.get("variables") or {}))}


def error(message: str) -> dict[str, Any]:
    """Return the body of an answer that only says what went wrong."""
    return {"data": None, "errors": [{"message": message}]}


def _viewer(call: _Call) -> dict[str, Any]:
    entity = call.store.entity
    return {
        "viewer": {
            "id": entity,
            "entity": entity,
            "username": entity,
            "email": "",
            "flags": "{}",
            "teams": {"edges": []},
        }
    }


def _features(call: _Call) -> dict[str, Any]:
    return {"serverInfo": {"features": []}}


def _organization(call: _Call) -> dict[str, Any]:
    return {"entity": None}


def _stopped(call: _Call) -> dict[str, Any]:
    return {"project": {"run": {"stopped": False}}}


def _resume_status(call: _Call) -> dict[str, Any]:
    key = call.store.key(call.variables.get("entity"), call.variables.get("project"), call.variables.get("name"))
    with call.store.reading(key) as run:
        bucket = None if run is None else {**_bucket(run), **_resume_point(run), "id": call.store.ticket()}
    return {"model": {"id": key.project, "name": key.project, "entity": _entity(key.entity), "bucket": bucket}}


def _resume_point(run: Run) -> dict[str, Any]:
    """Say where a writer goes on. Without a `t` in the config the client takes the run for one that never started."""
    return {
        "historyTail": _tail(run.rows),
        "eventsLineCount": len(run.metrics),
        "eventsTail": _tail(run.metrics),
        "logLineCount": run.console_lines,
        "summaryMetrics": json.dumps(run.summary),
        "wandbConfig": json.dumps({"t": 1}),
    }


def _tail(rows: Mapping[int, dict[str, Any]]) -> str:
    return json.dumps([json.dumps(rows[max(rows)])] if rows else [])


def _upsert(call: _Call) -> dict[str, Any]:
    with call.store.upserting(_read_upsert(call)) as (run, inserted):
        return {"upsertBucket": {"bucket": _bucket(run), "inserted": inserted}}


def _read_upsert(call: _Call) -> Upsert:
    told = call.variables
    about = {name: told.get(name) for name in ("tags", "notes")}
    about |= {"display_name": told.get("displayName"), "group": told.get("groupName"), "job_type": told.get("jobType")}
    return Upsert(
        key=call.store.key(told.get("entity"), told.get("project"), told.get("name")),
        sender=call.sender,
        ticket=told.get("id"),
        opens=_opens(told),
        about=about,
        config=json.loads(told.get("config") or "{}"),
    )


def _opens(told: Mapping[str, Any]) -> bool:
    """Tell the first upsert of a writer from its later ones.

    Later on the client names the server's id wherever it describes the run, and describes nothing where it sends only
    its config; and it always names the entity, which at first it may leave to the server.
    """
    return told.get("id") is None and (not told.get("entity") or any(told.get(name) for name in _TOLD_ONCE))


def _bucket(run: Run) -> dict[str, Any]:
    entity, project, run_id = run.key
    return {
        "id": run.url,
        "name": run_id,
        "displayName": run.display_name or run_id,
        "description": run.notes,
        "notes": run.notes,
        "tags": list(run.tags),
        "config": json.dumps(run.config),
        "sweepName": None,
        "historyLineCount": run.next_line,
        "project": {"id": project, "name": project, "entity": _entity(entity)},
    }


def _entity(name: str) -> dict[str, str]:
    return {"id": name, "name": name}


def _create_files(call: _Call) -> dict[str, Any]:
    entity, project, run_id = (call.variables[name] for name in ("entity", "project", "run"))
    folder = "/".join(quote(part, safe="") for part in (entity, project, run_id))
    files = [
        {"name": name, "uploadUrl": f"{call.store.url}/files/{folder}/{quote(name)}"}
        for name in call.variables["files"]
    ]
    return {"createRunFiles": {"runID": run_id, "uploadHeaders": [], "files": files}}


_ANSWERS: Final[Mapping[str, Callable[[_Call], dict[str, Any]]]] = {
    "CreateRunFiles": _create_files,
    "OrganizationCoreWeaveOrganizationID": _organization,
    "RunResumeStatus": _resume_status,
    "RunStoppedStatus": _stopped,
    "ServerFeaturesQuery": _features,
    "UpsertBucket": _upsert,
    "Viewer": _viewer,
}
