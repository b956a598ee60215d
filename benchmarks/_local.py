"""Flyte's local mode with its files in a folder of ours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flyte


def local_runner(folder: Path) -> Callable[..., Any]:
    """Return what runs a task with the real `flyte.run` and returns its result; each run has a name of its own."""
    names = (f"r{number}" for number in itertools.count(1))
    flyte.init()

    def run(task: Any, *arguments: Any, context: Mapping[str, str] | None = None) -> Any:
        options: dict[str, Any] = {"raw_data_path": str(folder / "raw"), "custom_context": dict(context or {})}
        runner: Any = flyte.with_runcontext(mode="local", name=next(names), **options)
        # There is no public way, and the default is one folder for the whole machine.
        runner._metadata_path = str(folder / "metadata")
        outputs = runner.run(task, *arguments).outputs()
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    return run
