"""The file stream: one JSON body that carries rows, system metrics, summary, console lines and the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._limits import RefusedError
from ._run import Run, RunKey, Sender
from ._store import Store


def receive(store: Store, key: RunKey, sender: Sender, body: bytes) -> bool:
    """Apply one request, and return whether the writer is to stop.

    Raises:
        RefusedError: The sender is not logged in, there is no such run, or a limit is reached.
    """
    if not sender.logged_in:
        raise RefusedError("user is not logged in", 401)
    store.spend_stream(key, len(body))
    told = json.loads(body)
    with store.changing(key) as run:
        if run is None:
            raise RefusedError(f"there is no run {'/'.join(key)}", 404)
        _apply(run, sender, told)
        return run.stopped


def _apply(run: Run, sender: Sender, body: Mapping[str, Any]) -> None:
    """Apply one request of the file stream to `run`.

    Args:
        run: The run.
        sender: Who sent the request.
        body: ``{"files": {name: {"offset": line, "content": [text, ...]}}, "preempting", "complete", "exitcode"}``,
            all of it optional.
    """
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
