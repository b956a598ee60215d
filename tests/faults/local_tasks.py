"""Tasks for this process: Flyte's local mode, and actions as in a reusable container."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import flyte

from flyte_wandb import get_wandb_run, wandb_init
from tests.current import this_run
from tests.faults.tasks import log_rows

env = flyte.TaskEnvironment(name="local_faults")


@wandb_init
@env.task
async def logs(rows: int) -> str:
    """Log rows where there is a run, and tell which."""
    run = get_wandb_run()
    log_rows(rows if run else 0)
    return run.id if run else "no run"


MEANWHILE: list[Callable[[], object]] = []
"""What happens while `logs_twice` is at work."""


@wandb_init
@env.task
def logs_twice(rows: int) -> str:
    """Log rows, have something happen, and log as many again."""
    log_rows(rows)
    MEANWHILE.pop()()
    log_rows(rows)
    return this_run().id


FAILURES: list[BaseException] = []
"""What the next attempts of `flaky` raise."""


@wandb_init
@env.task
async def flaky(rows: int) -> str:
    log_rows(rows)
    if FAILURES:
        raise FAILURES.pop()
    return this_run().id


@wandb_init
@env.task
async def never_ends(rows: int) -> int:
    log_rows(rows)
    await asyncio.Event().wait()
    return rows


@wandb_init
@env.task
def never_ends_in_thread(rows: int) -> int:
    log_rows(rows)
    while not threading.Event().wait(0.01):
        pass
    return rows
