"""Tasks that name the rank scope of an example plugin: importable where it is installed."""

from __future__ import annotations

from typing import Any

from flyte_wandb import wandb_init
from tests.ranks.tasks import clustered, work

PLACE: Any = {"project": "vision", "entity": "team", "rank_scope": "island:2"}


@wandb_init(run_mode="auto", **PLACE)
@clustered.task
def auto(steps: int) -> str | None:
    return work(steps)


@wandb_init(run_mode="shared", **PLACE)
@clustered.task
def shared(steps: int) -> str | None:
    return work(steps)


@wandb_init(run_mode="new", **PLACE)
@clustered.task
def new(steps: int) -> str | None:
    return work(steps)
