"""The trials of a sweep as actions, four at a time."""

from __future__ import annotations

import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import flyte

from benchmarks._local import local_runner
from flyte_wandb import run_sweep, wandb_config, wandb_init, wandb_sweep_config

env = flyte.TaskEnvironment(name="grown_sweeps")
_HEARTBEAT: Final = 0.05


@wandb_init
@env.task
async def trial(x: int) -> int:
    """Be a trial that logs nothing."""
    return x


@env.task
async def search(heartbeat: float) -> float:
    """Run all trials of the sweep of the context, and return the seconds that they took."""
    started = time.perf_counter()
    trials = await run_sweep(trial, heartbeat=heartbeat)
    assert {one.state for one in trials} == {"finished"}
    return time.perf_counter() - started


def measure(trials: str) -> dict[str, float]:
    """Run the trials of a grid after a single one."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        run = local_runner(Path.cwd())
        run(search, _HEARTBEAT, context=_grid(1))
        return {"seconds": run(search, _HEARTBEAT, context=_grid(int(trials)))}


def _grid(size: int) -> dict[str, str]:
    parameters: Any = {"x": {"values": list(range(size))}}
    return {**wandb_config(project="vision"), **wandb_sweep_config(method="grid", parameters=parameters)}
