"""Three tasks to look at before they are launched: `flyte wandb plan examples/jobs.py:pretrain`."""

import flyte
from flyte.clustered import ClusteredTaskEnvironment
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_wandb_run, wandb_init

elastic = flyte.TaskEnvironment(name="elastic", plugin_config=Elastic(nnodes=2, nproc_per_node=8))
cluster = ClusteredTaskEnvironment(name="cluster", replicas=2, nproc_per_node=4)
single = flyte.TaskEnvironment(name="single")


@wandb_init(run_mode="new", rank_scope="worker")
@elastic.task
def pretrain() -> float | None:
    """Every rank of two nodes has a run of its own, grouped by node."""
    return log()


@wandb_init
@cluster.task
def finetune() -> float | None:
    """One run, by rank 0, unless the context asks for more."""
    return log()


@wandb_init
@single.task
def evaluate() -> float | None:
    """The run of the task that calls this one, or else a run of its own."""
    return log()


def log() -> float | None:
    """Log where this process has a run."""
    if run := get_wandb_run():
        run.log({"loss": 0.1})
    return 0.1
