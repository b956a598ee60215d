"""The operations that the client needs to log in and to write runs, each with a fixed set of fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ._calls import Answer, Call, connection, entity, in_project
from ._run import Run
from ._store import Upsert

_TOLD_ONCE: Final = ("host", "program", "displayName", "groupName", "jobType", "tags", "notes")


def _viewer(call: Call) -> dict[str, Any]:
    user = call.store.entity
    viewer = {"id": user, "entity": user, "username": user, "email": "", "flags": "{}", "teams": connection([], dict)}
    return {"viewer": viewer, **_server(call)}


def _server(call: Call) -> dict[str, Any]:
    version = call.store.version
    local = {"outOfDate": False, "latestVersionString": version, "versionOnThisInstanceString": version}
    return {"serverInfo": {"features": [], "latestLocalVersionInfo": local if version else None}}


def _organization(call: Call) -> dict[str, Any]:
    return {"entity": None}


def _stopped(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key("runId")) as run:
        return in_project(run={"stopped": run is not None and run.stopped})


def _resume_status(call: Call) -> dict[str, Any]:
    key = call.key()
    with call.store.reading(key) as run:
        bucket = None if run is None else {**_bucket(run), **_resume_point(run), "id": call.store.ticket()}
    return {"model": {"id": key.project, "name": key.project, "entity": entity(key.entity), "bucket": bucket}}


def _resume_point(run: Run) -> dict[str, Any]:
    """Say where a writer goes on. Without a `t` in the config the client takes the run for one that never started."""
    return {
        "historyTail": _tail(run.rows),
        "eventsLineCount": len(run.metrics),
        "eventsTail": _tail(run.metrics),
        "logLineCount": run.console_lines,
        "summaryMetrics": json.dumps(run.summary),
        "wandbConfig": json.dumps({} if run.state == "pending" else {"t": 1}),
    }


def _tail(rows: Mapping[int, dict[str, Any]]) -> str:
    return json.dumps([json.dumps(rows[max(rows)])] if rows else [])


def _upsert(call: Call) -> dict[str, Any]:
    with call.store.upserting(_read_upsert(call)) as (run, inserted):
        return {"upsertBucket": {"bucket": _bucket(run), "inserted": inserted}}


def _read_upsert(call: Call) -> Upsert:
    told = call.variables
    about = {name: told.get(name) for name in ("tags", "notes", "sweep")}
    about |= {"display_name": told.get("displayName"), "group": told.get("groupName"), "job_type": told.get("jobType")}
    return Upsert(
        key=call.key(),
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
    owner, project, run_id = run.key
    return {
        "id": run.url,
        "name": run_id,
        "displayName": run.display_name or run_id,
        "description": run.notes,
        "notes": run.notes,
        "tags": list(run.tags),
        "config": json.dumps(run.config),
        "sweepName": run.sweep,
        "historyLineCount": run.next_line,
        "project": {"id": project, "name": project, "entity": entity(owner)},
    }


def _rewind(call: Call) -> dict[str, Any]:
    with call.store.rewinding(call.key("runName"), call.sender, int(call.variables["metricValue"])) as run:
        return {"rewindRun": {"rewoundRun": _bucket(run)}}


def _create_files(call: Call) -> dict[str, Any]:
    key = call.key("run")
    files = [{"name": name, "uploadUrl": call.file_url(key, name)} for name in call.variables["files"]]
    return {"createRunFiles": {"runID": key.id, "uploadHeaders": [], "files": files}}


ANSWERS: Final[Mapping[str, Answer]] = {
    "CreateRunFiles": _create_files,
    "GetDefaultEntity": _viewer,
    "GetViewer": _viewer,
    "OrganizationCoreWeaveOrganizationID": _organization,
    "RewindRun": _rewind,
    "RunResumeStatus": _resume_status,
    "RunStoppedStatus": _stopped,
    "ServerFeaturesQuery": _server,
    "ServerInfo": _server,
    "UpsertBucket": _upsert,
    "Viewer": _viewer,
}
"""The operations by name."""
