"""The tasks of the demo, written as a user would write them."""

from __future__ import annotations

import asyncio

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import get_distributed_info, get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="demo")
cluster = ClusteredTaskEnvironment(name="cluster", replicas=2, nproc_per_node=2)


@wandb_init(run_mode="new", group="folds")
@env.task
async def fold(index: int) -> float:
    """Train on one fold, in a separate run. The last fold diverges."""
    run = get_wandb_run()
    assert run is not None
    for epoch in range(5):
        run.log({"loss": 1 / (1 + epoch + index)})
        await asyncio.sleep(0)
    if index == 2:
        raise ValueError("the loss is not a number")
    return 1 / (5 + index)


@wandb_init
@env.task
async def evaluate(loss: float) -> float:
    """Write to the run of the task that calls this one: the default for a child."""
    run = get_wandb_run()
    assert run is not None
    run.log({"accuracy": 1 - loss})
    return 1 - loss


@wandb_init(config={"folds": 3})
@env.task
async def train() -> float:
    """Train all folds at once, and evaluate those that worked."""
    results = await asyncio.gather(*(fold(index) for index in range(3)), return_exceptions=True)
    losses = [result for result in results if isinstance(result, float)]
    return max(await asyncio.gather(*(evaluate(loss) for loss in losses)))


@wandb_init
@env.task
def publish(accuracy: float) -> float:
    """Run in a separate process, as in a container."""
    run = get_wandb_run()
    assert run is not None
    run.summary["published"] = accuracy
    return accuracy


@wandb_init
@cluster.task
def pretrain(epochs: int) -> int | None:
    """Run on every rank of two nodes; which of them have a run is the run mode's to say."""
    place, run = get_distributed_info(), get_wandb_run()
    for epoch in range(epochs):
        if run and place:
            run.log({"loss": 1 / (1 + epoch), "rank": place["rank"]})
    return epochs
