"""Tasks to which something happens: importable, each under its function's name, for Flyte's real entry point."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Final

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import get_distributed_info, get_wandb_run, wandb_init
from tests.current import this_run

env = flyte.TaskEnvironment(name="faults")
ranks = ClusteredTaskEnvironment(name="faulty_ranks", replicas=1, nproc_per_node=2)

PIPE: Final = "go"
"""A named pipe in the task's folder; whoever reads it waits for `tests.faults.acting.proceed`."""


def log_rows(rows: int) -> None:
    for row in range(rows):
        this_run().log({"row": row})


def wait_for_test() -> None:
    with open(PIPE, "rb") as pipe:
        pipe.read()


@wandb_init
@env.task
def waits(rows: int) -> int:
    """Log rows, wait for the test, and log as many again."""
    log_rows(rows)
    wait_for_test()
    log_rows(rows)
    return rows


@wandb_init
@env.task
async def waits_async(rows: int) -> int:
    """Log rows, and never end by itself."""
    log_rows(rows)
    await asyncio.Event().wait()
    return rows


@wandb_init
@env.task
async def blocks_the_loop(rows: int) -> int:
    """Log rows, and keep the event loop until the test says so."""
    log_rows(rows)
    wait_for_test()
    return rows


@wandb_init
@env.task
def goes_on(rows: int) -> str:
    """Log rows where there is a run, and tell which."""
    run = get_wandb_run()
    for row in range(rows if run else 0):
        this_run().log({"row": row})
    return run.id if run else "no run"


@wandb_init
@env.task
def fails_at_first(rows: int) -> str:
    """Log rows, and fail in the first attempt."""
    log_rows(rows)
    if os.environ["FLYTE_ATTEMPT_NUMBER"] == "0":
        raise ConnectionError("the node went away")
    return this_run().id


@wandb_init
@ranks.task
def waits_as_a_rank(rows: int, waiting: int) -> str | None:
    """Have each rank log rows; the rank `waiting` waits for the test then, and logs as many again."""
    rank = (get_distributed_info() or {})["rank"]
    for again in (False, True) if rank == waiting else (False,):
        if again:
            wait_for_test()
        for row in range(rows):
            this_run().log({"rank": rank, "row": row})
    return None


@wandb_init
@ranks.task
def configures(rows: int) -> str | None:
    """Have rank 0 change a key of the configuration; rank 1 reads it and sets one of its own, and ends last."""
    rank = (get_distributed_info() or {})["rank"]
    run: Any = this_run()
    log_rows(rows)
    if rank == 0:
        run.config.update({"lr": 2, "changed": True}, allow_val_change=True)
    else:
        run.config["rank 1"] = {"read": run.config["lr"]}
        run.config.persist()  # as W&B does for the classes of a mask, say
        wait_for_test()
    return None


@wandb_init(config={"lr": 1, "child": "a", "late": 0})
@env.task
def configures_as_a_child(rows: int) -> str:
    """Bring a configuration, change one key of it, and end when the test says so."""
    run: Any = this_run()
    log_rows(rows)
    run.config.update({"late": 1}, allow_val_change=True)
    wait_for_test()
    return this_run().id


@wandb_init
@env.task
def changes_config(rows: int) -> str:
    """Wait for the test, with rows to show it, and change a key of the configuration."""
    Path(HANDED_ON).write_text(json.dumps(dict(flyte.get_custom_context())))
    log_rows(rows)
    wait_for_test()
    run: Any = this_run()
    run.config.update({"lr": 2}, allow_val_change=True)
    return this_run().id


HANDED_ON: Final = "context.json"
"""What `hands_on` leaves in its folder: the context that its children see."""


@wandb_init
@env.task
def hands_on(rows: int) -> str:
    """Log rows, and write down what a child would be given."""
    log_rows(rows)
    Path(HANDED_ON).write_text(json.dumps(dict(flyte.get_custom_context())))
    return this_run().id


@wandb_init
@env.task
def logs_much(rows: int) -> str:
    """Log rows of 100 kB, more than a small disk holds."""
    for row in range(rows):
        this_run().log({"row": row, "text": f"{row}" * 100_000})
    return this_run().id
