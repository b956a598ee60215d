"""Concurrent children with runs of their own, offline; and many that write to their parent's run in turns."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, Final

import flyte

from benchmarks._local import local_runner
from benchmarks._vitals import memory, watch_loop

from .adapter import wandb_init
from .calls import open_by_hand

env = flyte.TaskEnvironment(name="crowd")


@wandb_init(project="p", run_mode="new")
@env.task
async def tracked(number: int) -> int:
    """Have the decorator open and finish a run."""
    return number


@env.task
async def by_hand(number: int) -> int:
    """Open and finish a run in the threads of `asyncio.to_thread`."""
    run = await asyncio.to_thread(open_by_hand)
    await asyncio.to_thread(run.finish)
    return number


CHILDREN: Final[dict[str, Any]] = {"tracked": tracked, "by hand": by_hand}


@env.task
async def crowd(kind: str, count: int) -> dict[str, float]:
    """Call all children at once: the seconds they took, and the longest block of the event loop."""
    took, block = await watch_loop(asyncio.gather(*(CHILDREN[kind](number) for number in range(count))))
    return {"seconds": took, "block": block}


def measure(kind: str, count: str) -> dict[str, float]:
    """Call all at once after a single one: also the threads afterwards, and the MiB at the peak above those of one."""
    run = local_runner(Path.cwd())
    run(crowd, kind, 1)
    before = memory()
    found: dict[str, float] = run(crowd, kind, int(count))
    return {**found, "threads": threading.active_count(), "peak": max(memory() - before, 0.1)}


@wandb_init(project="p")
@env.task
async def child(number: int) -> int:
    """Write to the parent's run."""
    return number


@wandb_init(project="p")
@env.task
async def parent(count: int) -> float:
    """Call children one after the other, and return the seconds that they took."""
    started = time.perf_counter()
    for number in range(count):
        await child(number)
    return time.perf_counter() - started


def measure_children(count: str) -> dict[str, float]:
    """Call a parent with so many children, after one with one."""
    run = local_runner(Path.cwd())
    run(parent, 1)
    return {"seconds": run(parent, int(count))}
