"""Tasks for Flyte's container entry point, each under its function's name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import flyte

from .adapter import get_wandb_run, get_wandb_sweep_id, wandb_init, wandb_sweep

env = flyte.TaskEnvironment(name="compared")


def log(**row: object) -> None:
    """Log a row to the run that the package gives."""
    run = get_wandb_run()
    assert run is not None, "the task has no run"
    run.log(row)


def log_rows() -> None:
    for row in (0, 1, 2):
        log(row=row)


def tell_program() -> None:
    """Have `starts.preempt` go on, which waits for this."""
    Path(os.environ["READY"]).write_bytes(b"")


def log_attempt(number: str) -> None:
    """Log three rows and raise in the attempt 0, two others in the next."""
    for row in (0, 1, 2) if number == "0" else (10, 11):
        log(row=row)
    if number == "0":
        raise ConnectionError("the node went away")


@wandb_init(project="p")
@env.task
def work(ends: str) -> str:
    """Log, and end: "well", "raises", "exits", or "raises at first", which is in the first attempt only."""
    if ends == "raises at first":
        log_attempt(os.environ["FLYTE_ATTEMPT_NUMBER"])
    else:
        log(row=0)
    if ends == "raises":
        raise ValueError("the loss is not a number")
    if ends == "exits":
        sys.exit(3)
    return "done"


@wandb_init(project="p", mode="offline")
@env.task
def offline() -> str:
    log(row=0)
    return "done"


@wandb_init(project="p", mode="disabled")
@env.task
def disabled() -> str:
    log(row=0)
    return "done"


@wandb_init
def objective() -> None:
    log(row=0)
    raise ValueError("the loss is not a number")


@wandb_sweep(project="p", entity="local")
@env.task
def agent() -> str:
    """Have W&B's agent do one trial."""
    import wandb
    from wandb.agents.pyagent import Agent

    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    wandb.agent(sweep_id, function=objective, count=1)
    return "done"
