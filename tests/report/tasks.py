"""Tasks with a tab in their report: importable, under their function's names."""

from __future__ import annotations

import asyncio
import threading

import flyte

from flyte_wandb import get_wandb_run, wandb_init
from tests.current import this_run

HOSTILE = '"><script>alert(1)</script>{{7*7}}$NAV_HTML'
_LOGGED = threading.Event()
env = flyte.TaskEnvironment(name="report")


def log(rows: int) -> int:
    """Log what is awkward, beside a loss."""
    run = get_wandb_run()
    for step in range(rows if run else 0):
        odd = {HOSTILE: step, "grün 雪": -1e300, "holes": float("nan") if step == 1 else step}
        run.log({"loss": 1 / (1 + step), "nested": {"deep": step}, "text": "words", **odd})  # type: ignore[union-attr]
    return rows


@wandb_init(report=True, config={"lr": 0.1, HOSTILE: HOSTILE, "surrogate": "\ud800\x00"})
@env.task
def in_thread(rows: int) -> int:
    return log(rows)


@wandb_init(report=True)
@env.task
async def in_loop(rows: int) -> int:
    return log(rows)


@wandb_init(report=True)
@env.task
def fails(rows: int) -> int:
    log(rows)
    raise ValueError(f"the loss is {HOSTILE}")


@wandb_init(report=True)
@env.task
async def fails_in_loop(rows: int) -> int:
    log(rows)
    raise ValueError("the loss is not a number")


@wandb_init(report=True)
@env.task
async def waits() -> None:
    log(2)
    _LOGGED.set()
    await asyncio.Event().wait()


@wandb_init
@env.task
async def by_context(rows: int) -> int:
    return log(rows)


@wandb_init(report=True)
@env.task
async def parent(rows: int) -> int:
    log(rows)
    return await in_loop(rows)


@env.task
async def canceller() -> str:
    waiting = asyncio.create_task(waits())
    assert await asyncio.to_thread(_LOGGED.wait, 30)
    waiting.cancel()
    try:
        await waiting
    except asyncio.CancelledError:
        return "cancelled"
    return "ended"


@wandb_init(report=True)
@env.task
def names_all(name: str) -> None:
    """Log a number, a text and a summary, all under a name."""
    run = this_run()
    run.log({name: 1.5, f"{name}2": name})
    run.summary[f"best {name}"] = name
