"""Tasks of ranks under Elastic: two on one node, or two on each of two nodes."""

from __future__ import annotations

import os
from typing import Any, Final

import flyte
from flyteplugins.pytorch import Elastic

from benchmarks._vitals import leave_note

from .adapter import get_wandb_run, wandb_init
from .tasks import is_first_attempt, log, log_attempt

_PROMPT: Final[dict[str, Any]] = {"nproc_per_node": 2, "monitor_interval": 0.1}
env = flyte.TaskEnvironment(name="two_ranks", plugin_config=Elastic(nnodes=1, max_restarts=0, **_PROMPT))
two_nodes = flyte.TaskEnvironment(name="two_nodes", plugin_config=Elastic(nnodes=2, **_PROMPT))


@wandb_init(project="p", run_mode="new")
@two_nodes.task
def new() -> None:
    """Have a run for each rank."""
    leave_note()


@wandb_init(project="p", run_mode="shared")
@two_nodes.task
def shared() -> None:
    """Have one run that all ranks write to."""
    leave_note()


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
        log_attempt(is_first_attempt())
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
