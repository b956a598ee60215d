"""The operations that the client needs to log in and to write runs, each with a fixed set of fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ._calls import Answer, Call, entity
from ._names import check_names
from ._records import Alert
from ._run import Run, RunKey
from ._store import Upsert

_TOLD_ONCE: Final = ("host", "program", "displayName", "groupName", "jobType", "tags", "notes")


def _stopped(call: Call) -> dict[str, Any]:
    with call.store.reading(call.key("runId")) as run:
        return call.in_project(run={"stopped": run is not None and run.stopped})


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
        "logLineCount": len(run.console),
        "summaryMetrics": json.dumps(run.summary),
        "wandbConfig": json.dumps({"t": 1} if run.started else {}),
    }


def _tail(rows: Mapping[int, dict[str, Any]]) -> str:
    return json.dumps([json.dumps(rows[max(rows)])] if rows else [])


def _upsert(call: Call) -> dict[str, Any]:
    with call.store.upserting(_read_upsert(call)) as (run, inserted):
        return {"upsertBucket": {"bucket": _bucket(run), "inserted": inserted}}


def _read_upsert(call: Call) -> Upsert:
    told = call.variables
    about = {name: told.get(name) for name in ("tags", "notes", "sweep")}
    about |= {
        "display_name": told.get("displayName") or told.get("display_name"),
        "group": told.get("groupName"),
        "job_type": told.get("jobType"),
    }
    check_names(call.key(), about)
    return Upsert(
        key=call.key(),
        sender=call.sender,
        ticket=told.get("id"),
        opens=_opens(told),
        about=about,
        config=_json(told.get("config")),
        summary=_json(told.get("summaryMetrics")),
    )


def _json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))


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
        "historyLineCount": len(run.rows),
        "project": {"id": project, "name": project, "entity": entity(owner)},
    }


def _rewind(call: Call) -> dict[str, Any]:
    with call.store.rewinding(call.key("runName"), call.sender, int(call.variables["metricValue"])) as run:
        return {"rewindRun": {"rewoundRun": _bucket(run)}}


def _create_files(call: Call) -> dict[str, Any]:
    key = call.key("run")
    files = [{"name": name, "uploadUrl": call.file_url(key, name)} for name in call.variables["files"]]
    return {"createRunFiles": {"runID": key.id, "uploadHeaders": [], "files": files}}


def _mark_uploaded(call: Call) -> dict[str, Any]:
    return {"markRunFilesUploaded": {"success": True}}


def _alert(call: Call) -> dict[str, Any]:
    told = call.variables
    with call.store.changing(call.key("runName")) as run:
        if run is not None:
            run.alerts.append(Alert(title=told["title"], text=told["text"], level=told.get("severity") or "INFO"))
    return {"notifyScriptableRunAlert": {"success": run is not None}}


def _stop(call: Call) -> dict[str, Any]:
    key = call.key()
    call.store.stop_run(key)
    return {"stopRun": {"success": True}}


def _set_state(call: Call) -> dict[str, Any]:
    with call.store.changing(call.key()) as run:
        if run is not None:
            run.status = call.input["state"].lower()
    return {"updateRunState": {"success": run is not None}}


def _delete(call: Call) -> dict[str, Any]:
    call.store.delete_run(call.key())
    return {"deleteRun": {"clientMutationId": None}}


def _delete_files(call: Call) -> dict[str, Any]:
    for url in call.variables["files"]:
        path, _, name = url.removeprefix(f"{call.store.url}/files/").partition("?name=")
        with call.store.changing(RunKey(*map(unquote, path.split("/")))) as run:
            if run is not None:
                run.files.pop(unquote(name), None)
    return {"deleteFiles": {"success": True}}


ANSWERS: Final[Mapping[str, Answer]] = {
    "CreateRunFiles": _create_files,
    "DeleteRun": _delete,
    "MarkRunFilesUploaded": _mark_uploaded,
    "NotifyScriptableRunAlert": _alert,
    "RewindRun": _rewind,
    "RunResumeStatus": _resume_status,
    "RunStoppedStatus": _stopped,
    "StopRun": _stop,
    "UpdateRunState": _set_state,
    "UpsertBucket": _upsert,
    "deleteFiles": _delete_files,
}
"""The operations by name."""
