"""Fifty concurrent children with runs of their own, offline."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import flyte

from benchmarks._gap import ticking
from benchmarks._local import local_runner

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="crowd")


@wandb_init(project="p", run_mode="new")
@env.task
async def child(number: int) -> int:
    """Have a run."""
    return number


@env.task
async def crowd(count: int) -> tuple[float, float]:
    """Call all children at once and return the seconds they took and the longest block of the event loop."""
    async with ticking() as gap:
        started = time.perf_counter()
        await asyncio.gather(*(child(number) for number in range(count)))
        wall = time.perf_counter() - started
    return wall, gap.longest


if __name__ == "__main__":
    run = local_runner(Path.cwd())
    run(crowd, 1)
    print(json.dumps(run(crowd, int(sys.argv[1]))))
