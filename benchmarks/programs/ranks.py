"""Tasks for Flyte's container entry point, each of which leaves a note when it reaches the user's code."""

from __future__ import annotations

import os
from pathlib import Path

import flyte

from benchmarks._vitals import leave_note

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="ranks")


@wandb_init(project="p")
@env.task
def tracked() -> None:
    """Be in the user's code, with the run open where this rank has one; the context may name the run mode."""
    leave_note()


@env.task
def bare() -> None:
    leave_note()


@env.task
def new_by_hand() -> None:
    import wandb

    run = wandb.init(id=f"{Path.cwd().name}-rank-{os.environ['RANK']}", group=Path.cwd().name, resume="allow")
    leave_note()
    run.finish()


@env.task
def shared_by_hand() -> None:
    import wandb

    rank = int(os.environ["RANK"])
    way = {"mode": "shared", "x_label": f"rank-{rank}", "x_primary": rank == 0, "x_update_finish_state": rank == 0}
    resume = "allow" if rank == 0 else None
    run = wandb.init(id=Path.cwd().name, resume=resume, settings=wandb.Settings(**way))  # type: ignore[arg-type]
    leave_note()
    run.finish()
