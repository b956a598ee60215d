"""Tasks for Flyte's container entry point, each under its function's name."""

from __future__ import annotations

import os
import sys

import flyte
import wandb
from wandb.agents.pyagent import Agent

from .adapter import get_wandb_run, get_wandb_sweep_id, wandb_init, wandb_sweep

env = flyte.TaskEnvironment(name="compared")


def log(**row: object) -> None:
    """Log a row to the run that the package gives."""
    run = get_wandb_run()
    assert run is not None, "the task has no run"
    run.log(row)


@wandb_init(project="p")
@env.task
def logs() -> str:
    """Log, and end well."""
    log(row=0)
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


@wandb_init(project="p")
@env.task
def raises() -> str:
    """Log, and raise."""
    log(row=0)
    raise ValueError("the loss is not a number")


@wandb_init(project="p")
@env.task
def exits() -> str:
    """Log, and exit."""
    log(row=0)
    sys.exit(3)


@wandb_init(project="p")
@env.task
def fails_at_first() -> str:
    """Log rows and fail in the first attempt, log others in the second."""
    log_attempt()
    return "done"


def log_attempt() -> None:
    """Log three rows and raise in the first attempt, two in the second."""
    first = os.environ["FLYTE_ATTEMPT_NUMBER"] == "0"
    for row in (0, 1, 2) if first else (10, 11):
        log(row=row)
    if first:
        raise ConnectionError("the node went away")


@wandb_init
def objective() -> None:
    """Log, and fail."""
    log(row=0)
    raise ValueError("the loss is not a number")


@wandb_sweep(project="p", entity="local")
@env.task
def agent() -> str:
    """Have W&B's agent do one trial."""
    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    wandb.agent(sweep_id, function=objective, count=1)
    return "done"
