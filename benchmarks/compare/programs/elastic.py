"""Tasks of two ranks under Elastic."""

from __future__ import annotations

import os

import flyte
from flyteplugins.pytorch import Elastic

from .adapter import get_wandb_run, wandb_init
from .tasks import log, log_attempt

env = flyte.TaskEnvironment(
    name="two_ranks", plugin_config=Elastic(nnodes=1, nproc_per_node=2, max_restarts=0, monitor_interval=0.1)
)


@wandb_init(project="p")
@env.task
def rank_0_fails() -> str:
    """Have rank 0, which has the run, fail."""
    return _fail(0)


@wandb_init(project="p", run_mode="new")
@env.task
def rank_1_fails() -> str:
    """Have rank 1 of two with runs of their own fail."""
    return _fail(1)


@wandb_init(project="p")
@env.task
def fails_at_first() -> str:
    """Log rows and fail in the first attempt, log others in the second."""
    if get_wandb_run():
        log_attempt()
    return "done"


@wandb_init(project="p", run_mode="shared")
@env.task
def shares() -> str:
    """Log from both ranks."""
    log(row=_rank())
    return "done"


def _fail(which: int) -> str:
    if get_wandb_run():
        log(rank=_rank())
    if _rank() == which:
        raise ValueError("the loss is not a number")
    return "done"


def _rank() -> int:
    return int(os.environ["RANK"])
