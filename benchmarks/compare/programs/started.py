"""One task of one process, which leaves a note when it reaches the user's code."""

from __future__ import annotations

import os

import flyte

from benchmarks import _note

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="started")


@wandb_init(project="p")
@env.task
def started() -> None:
    """Note that the user's code is reached, with the run open where this process has one."""
    os.environ.setdefault("RANK", "0")
    _note.leave()
