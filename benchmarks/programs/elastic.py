"""Tasks of ranks under Elastic: two on one node, or two on each of two nodes."""

from __future__ import annotations

import os
import time
from typing import Any, Final

import flyte
from flyteplugins.pytorch import Elastic

from benchmarks._vitals import leave_note

from .adapter import get_wandb_run, wandb_init
from .tasks import log, log_attempt, log_rows, tell_program

_PROMPT: Final[dict[str, Any]] = {"nproc_per_node": 2, "monitor_interval": 0.1}
env = flyte.TaskEnvironment(name="two_ranks", plugin_config=Elastic(nnodes=1, max_restarts=0, **_PROMPT))
two_nodes = flyte.TaskEnvironment(name="two_nodes", plugin_config=Elastic(nnodes=2, **_PROMPT))


@wandb_init(project="p", run_mode="new")
@two_nodes.task
def new() -> None:
    leave_note()


@wandb_init(project="p", run_mode="shared")
@two_nodes.task
def shared() -> None:
    leave_note()


@wandb_init(project="p")
@env.task
def rank_0_fails() -> str:
    return _log(fails=0)


@wandb_init(project="p", run_mode="new")
@env.task
def rank_1_fails() -> str:
    return _log(fails=1)


@wandb_init(project="p", run_mode="shared")
@env.task
def shares() -> str:
    return _log()


@wandb_init(project="p")
@env.task
def fails_at_first() -> str:
    if get_wandb_run():
        log_attempt(os.environ["FLYTE_ATTEMPT_NUMBER"])
    return "done"


@wandb_init(project="p")
@env.task
def sleeps() -> str:
    """Have both ranks sleep, of which one has a run."""
    if get_wandb_run():
        log_rows()
        tell_program()
    time.sleep(60)
    return "done"


def _log(fails: int | None = None) -> str:
    """Log from a rank that has a run, and raise in one of them."""
    rank = int(os.environ["RANK"])
    if get_wandb_run():
        log(row=rank)
    if rank == fails:
        raise ValueError("the loss is not a number")
    return "done"
