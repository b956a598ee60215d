"""A pair of tasks as in `data_tasks`, whose ranks torch starts."""

from __future__ import annotations

import os

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import wandb_init
from tests.container.data_tasks import work, work_in_bare_run
from tests.current import this_run

env = flyte.TaskEnvironment(
    name="elastic_data", plugin_config=Elastic(nnodes=1, nproc_per_node=2, monitor_interval=0.1)
)


@wandb_init(run_mode="new")
@env.task
def tracked_ranks() -> None:
    work(this_run())


@env.task
def bare_ranks() -> None:
    work_in_bare_run(f"bare_ranks-rank-{os.environ['RANK']}")
