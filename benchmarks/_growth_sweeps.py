"""The trials of a sweep: running them as actions, and downloading them."""

from __future__ import annotations

import os
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import flyte
import wandb
from rich.progress import Progress

from flyte_wandb import run_sweep, wandb_config, wandb_init, wandb_sweep_config

from ._growth_history import fetched
from ._growth_rows import LINEAR, Cost
from ._local import local_runner
from ._progress import ticker
from ._soak.double import double

TRIALS: Final = (2, 4, 8, 16, 32, 64)
RUNS: Final = (5, 15, 45, 135, 400)
_BEAT: Final = 0.05

env = flyte.TaskEnvironment(name="grown_sweeps")


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


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure sweeps of a grid, four trials at a time, and downloads of sweeps with one small run per trial."""
    tick = ticker(progress, "sweeps", 1 + len(TRIALS) + len(RUNS))
    running, downloading = [], []
    with double() as server, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        environ = {**server.get_environ(), "WANDB_MODE": "online"}
        os.environ.update(environ)
        wandb.teardown()  # a client of before has seen another environment
        run = local_runner(folder)
        for size in (1, *TRIALS):
            running.append(run(search, _BEAT, context=_grid(size)))
            tick()
        for size in RUNS:
            downloading.append(fetched(folder, environ, "sweep", _put_sweep(server, size)))
            tick()
    common: dict[str, Any] = {"of": "trials", "expected": LINEAR}
    return [
        Cost(what="run_sweep, four at a time", sizes=TRIALS, values=running[1:], unit="s", **common),
        Cost(what="downloading a sweep", sizes=RUNS, values=downloading, unit="s", **common),
    ]


def _grid(size: int) -> dict[str, str]:
    parameters: Any = {"x": {"values": list(range(size))}}
    return {**wandb_config(project="vision"), **wandb_sweep_config(method="grid", parameters=parameters)}


def _put_sweep(server: Any, runs: int) -> str:
    sweep: str = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    for number in range(runs):
        server.put_run(f"{sweep}-{number}", project="p", sweep=sweep, history=[{"loss": 0.5}] * 10)
    return sweep
