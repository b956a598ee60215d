"""Tasks for Flyte's container entry point, each under its function's name."""

from __future__ import annotations

import os
import sys

import flyte

from .adapter import get_wandb_run, get_wandb_sweep_id, wandb_init, wandb_sweep

env = flyte.TaskEnvironment(name="compared")


def log(**row: object) -> None:
    """Log a row to the run that the package gives."""
    run = get_wandb_run()
    assert run is not None, "the task has no run"
    run.log(row)


def log_attempt(first: bool) -> None:
    """Log three rows and raise in the first attempt, two others in the second."""
    for row in (0, 1, 2) if first else (10, 11):
        log(row=row)
    if first:
        raise ConnectionError("the node went away")


def is_first_attempt() -> bool:
    """Whether this container is the first one of its action."""
    return os.environ["FLYTE_ATTEMPT_NUMBER"] == "0"


@wandb_init(project="p")
@env.task
def work(ends: str) -> str:
    """Log, and end: "well", "raises", "exits", or "raises at first", which is in the first attempt only."""
    if ends == "raises at first":
        log_attempt(is_first_attempt())
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
    """Log, offline by the decorator."""
    log(row=0)
    return "done"


@wandb_init(project="p", mode="disabled")
@env.task
def disabled() -> str:
    """Log, disabled by the decorator."""
    log(row=0)
    return "done"


@wandb_init
def objective() -> None:
    """Log, and fail."""
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
