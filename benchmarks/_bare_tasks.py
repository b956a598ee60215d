"""Ranks without `@wandb_init`: one that does nothing, and two that open the same run by hand in the same way."""

from __future__ import annotations

import os

import flyte

from benchmarks import _note

env = flyte.TaskEnvironment(name="bare")


@env.task
def bare() -> None:
    """Note that the user's code is reached."""
    _note.leave()


@env.task
def bare_new() -> None:
    """Open a run for this rank by hand."""
    import wandb

    run = wandb.init(id=f"bare-rank-{os.environ['RANK']}", group="bare", resume="allow")
    _note.leave()
    run.finish()


@env.task
def bare_shared() -> None:
    """Join a run with the other ranks by hand."""
    import wandb

    rank = int(os.environ["RANK"])
    way = {"mode": "shared", "x_label": f"rank-{rank}", "x_primary": rank == 0, "x_update_finish_state": rank == 0}
    resume = "allow" if rank == 0 else None
    run = wandb.init(id="bare", resume=resume, settings=wandb.Settings(**way))  # type: ignore[arg-type]
    _note.leave()
    run.finish()
