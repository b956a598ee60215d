"""A rank with `@wandb_init`; the context names the run mode."""

from __future__ import annotations

import flyte

from benchmarks import _note
from flyte_wandb import wandb_init

env = flyte.TaskEnvironment(name="tracked")


@wandb_init
@env.task
def tracked() -> None:
    """Note that the user's code is reached, with the run open where the rank has one."""
    _note.leave()
