"""The task of two ranks under Flyte's Elastic."""

from __future__ import annotations

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_distributed_info, get_wandb_run, wandb_init
from tests.report.tasks import log

ranks = flyte.TaskEnvironment(
    name="report_ranks", plugin_config=Elastic(nnodes=1, nproc_per_node=2, max_restarts=0, monitor_interval=0.1)
)


@wandb_init(report=True, run_mode="new")
@ranks.task
def on_ranks() -> int:
    info, run = get_distributed_info(), get_wandb_run()
    assert run is not None
    assert info is not None
    log(2)
    run.log({f"only/{info['rank']}": info["rank"]})
    return info["rank"]
