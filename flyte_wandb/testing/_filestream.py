"""The file stream: one JSON body that carries rows, system metrics, summary, console lines and the end of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._run import Run, Sender


def apply(run: Run, sender: Sender, body: Mapping[str, Any]) -> None:
    """Apply one request of the file stream to `run`.

    Args:
        run: The run.
        sender: Who sent the request.
        body: ``{"files": {name: {"offset": line, "content": [text, ...]}}, "preempting", "complete", "exitcode"}``,
            all of it optional.
    """
    for name, chunk in (body.get("files") or {}).items():
        _apply_chunk(run, sender, name, chunk.get("offset") or 0, chunk.get("content") or [])
    run.preempting = run.preempting or bool(body.get("preempting"))
    if body.get("complete"):
        run.complete(sender, body.get("exitcode") or 0)


def _apply_chunk(run: Run, sender: Sender, name: str, line: int, content: list[str]) -> None:
    if name == "wandb-history.jsonl":
        run.add_rows(sender, line, [json.loads(text) for text in content])
    elif name == "wandb-events.jsonl":
        run.add_metrics(sender, line, [json.loads(text) for text in content])
    elif name == "wandb-summary.json":
        for text in content:
            run.summary.update(json.loads(text))
    else:
        run.add_console(sender, line, content)
