"""A task that names the rank scope of the mesh plugin: importable where it is installed."""

from __future__ import annotations

from flyte_wandb import wandb_init
from tests.ranks.tasks import clustered, work


@wandb_init(project="vision", entity="team", rank_scope="mesh:pp=2,dp=2;per=dp;lead=pp:last")
@clustered.task
def per_replica(steps: int) -> str | None:
    return work(steps)
