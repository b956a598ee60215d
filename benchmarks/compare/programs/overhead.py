"""What a decorated task takes more than a bare one, beyond the time inside of W&B's own init and finish."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import flyte
import wandb

from benchmarks._local import local_runner
from benchmarks._stopwatch import Stopwatch

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="overhead")
_watch = Stopwatch()


@env.task
async def bare_async() -> None:
    """Do nothing."""


@wandb_init(project="p", run_mode="new")
@env.task
async def tracked_async() -> None:
    """Do nothing, with a run."""


@env.task
def bare_sync() -> None:
    """Do nothing."""


@wandb_init(project="p", run_mode="new")
@env.task
def tracked_sync() -> None:
    """Do nothing, with a run."""


CALLS: Final[dict[str, tuple[Any, Any]]] = {
    "sync": (bare_sync.aio, tracked_sync.aio),
    "async": (bare_async, tracked_async),
}


@env.task
async def pairs(kind: str, count: int) -> list[list[float]]:
    """Call both in turns, and return the seconds of each: of the tracked one without those inside of the client."""
    return [[await _around_client(call) for call in CALLS[kind]] for _ in range(count)]


async def _around_client(task: Any) -> float:
    _watch.around_client()
    started = time.perf_counter()
    await task()
    _watch.wrapper = time.perf_counter() - started
    return _watch.around_client()


if __name__ == "__main__":
    wandb.init = _watch.in_client(wandb.init)
    wandb.Run.finish = _watch.in_client(wandb.Run.finish)  # type: ignore[method-assign]
    run = local_runner(Path.cwd())
    run(pairs, sys.argv[1], 3)
    print(json.dumps(run(pairs, sys.argv[1], int(sys.argv[2]))))
