"""Children of a task: at once with their own runs, one after the other in their parent's, and trials of a sweep."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, Final

import flyte

from benchmarks._local import local_runner
from benchmarks._vitals import memory, watch_loop

from .adapter import wandb_config, wandb_init
from .calls import by_hand_in_threads, track

env = flyte.TaskEnvironment(name="crowd")


async def pass_on(number: int) -> int:
    """Have the decorator open and finish a run."""
    return number


async def by_hand(number: int) -> int:
    """Open and finish a run."""
    await by_hand_in_threads()
    return number


async def do_without(number: int) -> int:
    """Have no run: what is left is Flyte's."""
    return number


CHILDREN: Final[dict[str, Any]] = {
    "tracked": track(env.task(pass_on)),
    "by hand": env.task(by_hand),
    "without": env.task(do_without),
}


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


@wandb_init
@env.task
async def trial(x: int) -> int:
    return x


@env.task
async def search(kind: str, count: int) -> float:
    """Run trials of the sweep of the context, or as many tasks without one, four at a time, and return the seconds."""
    started = time.perf_counter()
    if kind == "trials":
        from flyte_wandb import run_sweep

        trials = await run_sweep(trial, heartbeat=0.05)
        assert [one.state for one in trials] == ["finished"] * count
    else:
        room = asyncio.Semaphore(4)
        await asyncio.gather(*(_call_in(room, number) for number in range(count)))
    return time.perf_counter() - started


async def _call_in(room: asyncio.Semaphore, number: int) -> None:
    async with room:
        await trial(number)


def measure_four_at_a_time(kind: str, count: str) -> dict[str, float]:
    """Run ``trials`` of a grid, or ``tasks``, after a single one."""
    from flyte_wandb import wandb_sweep_config

    run, seconds = local_runner(Path.cwd()), 0.0
    for size in (1, int(count)):
        grid: Any = {"x": {"values": list(range(size))}}
        context = {**wandb_config(project="vision"), **wandb_sweep_config(method="grid", parameters=grid)}
        seconds = run(search, kind, size, context=context)
    return {"seconds": seconds}
