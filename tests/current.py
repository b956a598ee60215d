"""The run of the task that calls: for tasks in this process and in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_wandb import get_wandb_run

if TYPE_CHECKING:
    import wandb


def this_run() -> wandb.Run:
    """Return the run of the task that calls, which has to have one."""
    run = get_wandb_run()
    assert run is not None
    return run
