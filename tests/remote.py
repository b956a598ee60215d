"""Actions in Flyte's mode "remote" inside this process, as in a reusable container, with no control plane.

Uses private names of Flyte: the context that its runtime makes for an action, and the controller of the local mode for
the children, which inherit the mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flyte
import flyte.report
from flyte._context import internal_ctx
from flyte._internal.controllers import create_controller
from flyte.models import ActionID, CheckpointPaths, RawDataPath, TaskContext


async def run_action(
    task: Any, *, folder: Path, name: str = "a0", context: Mapping[str, str] | None = None, **inputs: Any
) -> Any:
    """Run one action of the Flyte run `r1`, its children included, and return its result.

    Args:
        task: The task.
        folder: An existing folder for its files.
        name: Name of the action.
        context: Flyte's custom context.
        inputs: Its inputs.
    """
    flyte.init()
    create_controller("local")
    with internal_ctx().replace_task_context(action_context(folder, name, dict(context or {}))):
        return await task.execute(**inputs)


def action_context(folder: Path, name: str, context: dict[str, str]) -> TaskContext:
    """Return what Flyte's runtime makes for an action of the run `r1`."""
    base = folder / name
    return TaskContext(
        action=ActionID(name=name, run_name="r1", project="project", domain="development", org="org"),
        version="v1",
        raw_data_path=RawDataPath(path=str(base / "raw")),
        output_path=str(base),
        run_base_dir=str(base),
        report=flyte.report.Report(name=name),
        mode="remote",
        custom_context=context,
        checkpoint_paths=CheckpointPaths(str(base / "before"), str(base / "after")),
    )
