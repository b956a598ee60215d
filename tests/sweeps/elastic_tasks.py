"""Trials of many ranks under Flyte's Elastic, on one node and on two, and the task that starts them."""

from __future__ import annotations

from typing import Any

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import TrialOutcome, run_sweep, wandb_init
from tests.ranks.elastic_tasks import PROMPT
from tests.sweeps.tasks import work

env = flyte.TaskEnvironment(name="starts_elastic_trials")
one = flyte.TaskEnvironment(name="trials_on_one_node", plugin_config=Elastic(nnodes=1, **PROMPT))
two = flyte.TaskEnvironment(name="trials_on_two_nodes", plugin_config=Elastic(nnodes=2, **PROMPT))


@wandb_init
@one.task
def on_one_node(x: int, scale: float) -> int | None:
    return work(x, scale)


@wandb_init
@two.task
def on_two_nodes(x: int, scale: float) -> int | None:
    return work(x, scale)


TRIALS: list[TrialOutcome] = []


@env.task
async def search(nodes: int) -> int:
    task: Any = on_one_node if nodes == 1 else on_two_nodes
    TRIALS[:] = await run_sweep(task, max_parallel=1, inputs={"scale": 0.5}, heartbeat=0.05)
    return len(TRIALS)
