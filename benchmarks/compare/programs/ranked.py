"""Tasks of ranks, of which each leaves a note when it reaches the user's code."""

from __future__ import annotations

import flyte
from flyteplugins.pytorch import Elastic

from benchmarks import _note

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="two_nodes", plugin_config=Elastic(nnodes=2, nproc_per_node=2, monitor_interval=0.1))


@wandb_init(project="p", run_mode="new")
@env.task
def new() -> None:
    """Have a run for each rank."""
    _note.leave()


@wandb_init(project="p", run_mode="shared")
@env.task
def shared() -> None:
    """Have one run that all ranks write to."""
    _note.leave()
