"""The operations that the client needs to write runs, and those of `wandb.Api()` that change them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from ..rules._limits import RefusedError
from ..rules._names import check_names
from ..state._records import Alert
from ..state._run import Run, RunKey
from ._calls import Call, answers, entity
from ._reading import run_node

_TOLD_ONCE: Final = ("host", "program", "displayName", "groupName", "jobType", "tags", "notes")
_OF_THE_PROCESS: Final = ("commit", "repo", "program", "host")
_WAYS: Final = {"pending": ("running", "failed", "crashed", "preempted"), "failed": ("pending", "running")}
"""To which states the public API may set a run, and from which ones."""


@answers("RunStoppedStatus")
def _stopped(call: Call) -> dict[str, Any]:
    run = call.run("runId")
    return call.in_project(run={"stopped": run is not None and run.stopped})


@answers("RunResumeStatus")
def _resume_status(call: Call) -> dict[str, Any]:
    key = call.key()
    run = call.store.runs.get(key)
    bucket = None if run is None else {**run_node(run), **_resume_point(run), "id": call.store.add_ticket()}
    return {"model": {"id": key.project, "name": key.project, "entity": entity(key.entity), "bucket": bucket}}


def _resume_point(run: Run) -> dict[str, Any]:
    """Say where a writer continues. Without a `t` in the config the client assumes that the run never started."""
    return {
        "historyTail": _tail(run.rows),
        "eventsLineCount": len(run.metrics),
        "eventsTail": _tail(run.metrics),
        "logLineCount": len(run.console),
        "wandbConfig": json.dumps({"t": 1} if run.started else {}),
    }


def _tail(rows: Mapping[int, dict[str, Any]]) -> str:
    return json.dumps([json.dumps(rows[max(rows)])] if rows else [])


@answers("UpsertBucket")
def _upsert(call: Call) -> dict[str, Any]:
    store, told = call.store, call.variables
    key, about = call.key(), _description(told)
    check_names(key.id, key.project, about)
    store.wait_out_pause()
    inserted, resumes = key not in store.runs, store.is_ticket(told.get("id"))
    opens = inserted or resumes or _opens(told)
    if opens:
        store.check_opening(key)
    store.use_up_ticket(told.get("id"))
    run = store.runs.get(key) or store.add_run(key)
    _apply(call, run, opens=opens, resumes=resumes)
    run.describe(about)
    return {"upsertBucket": {"bucket": run_node(run), "inserted": inserted}}


def _description(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a writer says about its run, by field of `Run`; None for what it leaves out."""
    return {
        "display_name": told.get("displayName") or told.get("display_name") or None,
        "group": told.get("groupName") or None,
        "job_type": told.get("jobType") or None,
        "notes": told.get("notes") or None,
        **{name: told.get(name) or None for name in _OF_THE_PROCESS},
        "sweep": told.get("sweep") or None,
        "tags": None if told.get("tags") is None else tuple(told["tags"]),
    }


def _apply(call: Call, run: Run, *, opens: bool, resumes: bool) -> None:
    config, summary = (_read_json(call.variables.get(name)) for name in ("config", "summaryMetrics"))
    if opens and not run.started:
        _fork(call, run, config or {})
    if config is not None:
        run.set_config(call.sender, config)
    if opens:
        run.heartbeat = call.store.now()
        run.open(call.sender, resumed=resumes)
    if summary is not None:
        run.set_summary(call.sender, summary)


def _read_json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))


def _opens(told: Mapping[str, Any]) -> bool:
    """Tell the first upsert of a writer from its later ones.

    Later on the client names the server's id wherever it describes the run, and describes nothing where it sends only
    its config; and it always names the entity, which at first it may leave to the server.
    """
    return told.get("id") is None and (not told.get("entity") or any(told.get(name) for name in _TOLD_ONCE))


def _fork(call: Call, run: Run, config: Mapping[str, Any]) -> None:
    """Give a new run the rows of the one that it says it branches off."""
    branch = config.get("_wandb", {}).get("value", {}).get("branch_point")
    if branch is None or branch["run_id"] == run.key.id:
        return
    parent = call.store.runs.get(run.key._replace(id=branch["run_id"]))
    if parent is None:
        raise RefusedError(f"there is no run {branch['run_id']} to fork", 404)
    run.continue_from(parent, int(branch["step"]))


@answers("RewindRun")
def _rewind(call: Call) -> dict[str, Any]:
    """Take a run back to the end of a step, and open it again."""
    call.store.wait_out_pause()
    call.store.check_accepting()
    key = call.key("runName")
    run = call.store.runs.get(key)
    if run is None:
        raise RefusedError(f"there is no run {'/'.join(key)} to rewind")
    run.rewind(int(call.variables["metricValue"]))
    run.heartbeat = call.store.now()
    run.open(call.sender, resumed=True)
    return {"rewindRun": {"rewoundRun": run_node(run)}}


@answers("CreateRunFiles")
def _create_files(call: Call) -> dict[str, Any]:
    key = call.key("run")
    files = [{"name": name, "uploadUrl": call.file_url(key, name)} for name in call.variables["files"]]
    return {"createRunFiles": {"runID": key.id, "uploadHeaders": [], "files": files}}


@answers("MarkRunFilesUploaded")
def _mark_uploaded(call: Call) -> dict[str, Any]:
    return {"markRunFilesUploaded": {"success": True}}


@answers("deleteFiles")
def _delete_files(call: Call) -> dict[str, Any]:
    for url in call.variables["files"]:
        path, _, name = url.removeprefix(f"{call.store.url}/files/").partition("?name=")
        run = call.store.runs.get(RunKey(*map(unquote, path.split("/"))))
        if run is not None:
            run.files.pop(unquote(name), None)
    return {"deleteFiles": {"success": True}}


@answers("NotifyScriptableRunAlert")
def _alert(call: Call) -> dict[str, Any]:
    run, told, now = call.run("runName"), call.variables, call.store.now()
    if run is not None and now >= run.quiet_until.get(told["title"], 0):
        run.quiet_until[told["title"]] = now + (told.get("waitDuration") or 0) / 1000  # the client sends milliseconds
        run.alerts.append(Alert(title=told["title"], text=told["text"], level=told.get("severity") or "INFO"))
    return {"notifyScriptableRunAlert": {"success": run is not None}}


@answers("StopRun")
def _stop(call: Call) -> dict[str, Any]:
    run = call.run()
    if run is not None:
        run.stopped = True
    return {"stopRun": {"success": run is not None}}


@answers("UpdateRunState")
def _set_state(call: Call) -> dict[str, Any]:
    run, state = call.run(), call.input["state"].lower()
    if run is None or run.sweep is not None or run.state not in _WAYS.get(state, ()):
        raise RefusedError(f"the run cannot become {state}", 400)
    run.status = state
    return {"updateRunState": {"success": True}}


@answers("DeleteRun")
def _delete(call: Call) -> dict[str, Any]:
    key = call.key()
    if key in call.store.runs:
        call.store.delete_run(call.store.runs[key])
    for artifact in call.store.artifacts.by_id.values() if call.variables.get("deleteArtifacts") else ():
        if artifact.run == key:
            call.store.artifacts.delete(artifact)
    return {"deleteRun": {"clientMutationId": None}}
