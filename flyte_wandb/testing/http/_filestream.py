"""The file stream: one JSON body that carries rows, system metrics, summary, console lines and the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..rules._limits import RefusedError
from ..state._run import Run, RunKey, Sender
from ..state._store import Store


def receive(store: Store, key: RunKey, sender: Sender, body: bytes) -> bool:
    """Apply one request, and return whether the writer is to stop.

    Raises:
        RefusedError: The sender is not logged in, there is no such run, or a limit is reached.
    """
    if not sender.logged_in:
        raise RefusedError("user is not logged in", 401)
    with store.changing():
        _spend(store, key, len(body))
    content = json.loads(body)
    with store.changing():
        run = store.runs.get(key)
        if run is None:
            raise RefusedError(f"there is no run {'/'.join(key)}", 404)
        _apply(run, sender, content)
        return run.stopped


def _spend(store: Store, key: RunKey, size: int) -> None:
    now, project = store.now(), key[:2]
    store.meters.hold("body_bytes", size)
    store.meters.spend("file_streams", project, now)
    store.meters.spend("stream_bytes", project, now, size)
    store.meters.spend("file_streams_of_run", key, now)


def _apply(run: Run, sender: Sender, body: Mapping[str, Any]) -> None:
    """Apply ``{"files": {name: {"offset": line, "content": [text, ...]}}, "preempting", "complete", "exitcode"}``."""
    run.heartbeat = run.clock()
    for name, chunk in (body.get("files") or {}).items():
        _apply_chunk(run, sender, name, chunk.get("offset") or 0, chunk.get("content") or [])
    if body.get("preempting"):
        run.preempt()
    if body.get("complete"):
        run.complete(sender, body.get("exitcode") or 0)


def _apply_chunk(run: Run, sender: Sender, name: str, line: int, content: list[str]) -> None:
    if name == "wandb-history.jsonl":
        run.add_rows(sender, [json.loads(text) for text in content])
    elif name == "wandb-events.jsonl":
        run.add_metrics(sender, line, [json.loads(text) for text in content])
    elif name == "wandb-summary.json" and content:
        run.set_summary(sender, json.loads(content[-1]))
    else:
        run.add_console(sender, line, content)
