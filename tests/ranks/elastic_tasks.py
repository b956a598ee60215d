"""The task of many ranks under Flyte's Elastic, on one node and on two."""

from __future__ import annotations

from typing import Any

import flyte
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_distributed_info, wandb_init
from tests.ranks.tasks import hold, work

PROMPT: dict[str, Any] = {"nproc_per_node": 2, "monitor_interval": 0.1}
"""Two ranks on each node, whose agent sees at once that they have ended."""

one = flyte.TaskEnvironment(name="one_node", plugin_config=Elastic(nnodes=1, **PROMPT))
two = flyte.TaskEnvironment(name="two_nodes", plugin_config=Elastic(nnodes=2, **PROMPT))
again = flyte.TaskEnvironment(name="two_nodes_again", plugin_config=Elastic(nnodes=2, max_restarts=1, **PROMPT))
restarted = flyte.TaskEnvironment(name="restarted", plugin_config=Elastic(nnodes=1, max_restarts=1, **PROMPT))
some = flyte.TaskEnvironment(
    name="some_nodes", plugin_config=Elastic(nnodes="1:3", rdzv_configs={"last_call_timeout": 1}, **PROMPT)
)


@wandb_init
@one.task
def on_one_node(steps: int) -> str | None:
    return work(steps)


@wandb_init
@two.task
def on_two_nodes(steps: int) -> str | None:
    return work(steps)


@wandb_init
@again.task
def held(steps: int) -> str | None:
    return hold(steps)


@wandb_init(rank_scope="worker")
@some.task
def on_some_nodes(steps: int) -> str | None:
    return work(steps)


@wandb_init
@restarted.task
def fails(steps: int) -> str | None:
    """Have rank 0 fail after its work, in every attempt of the group."""
    said = work(steps)
    info = get_distributed_info()
    if info and info["rank"] == 0:
        raise ValueError("the loss is not a number")
    return said
