"""The task of two ranks in a clustered environment."""

from __future__ import annotations

from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import wandb_init
from tests.report.tasks import log

env = ClusteredTaskEnvironment(name="report_clustered", replicas=1, nproc_per_node=2)


@wandb_init(report=True, run_mode="new")
@env.task
def on_ranks() -> int:
    return log(1)
