"""Many rows of the tables by the same ranks: they run a decorated task's function once in each of many contexts."""

from __future__ import annotations

from typing import Any

import flyte
import torch.distributed as dist

from tests.ranks import elastic_tasks, tasks


@elastic_tasks.one.task
def on_one_node(steps: int, contexts: list[dict[str, str]]) -> str | None:
    return _by_turns(elastic_tasks.on_one_node, steps, contexts)


@elastic_tasks.two.task
def on_two_nodes(steps: int, contexts: list[dict[str, str]]) -> str | None:
    return _by_turns(elastic_tasks.on_two_nodes, steps, contexts)


@tasks.clustered.task
def ranked(steps: int, contexts: list[dict[str, str]]) -> str | None:
    return _by_turns(tasks.ranked, steps, contexts)


def _by_turns(task: Any, steps: int, contexts: list[dict[str, str]]) -> str:
    """Enter each context when all ranks have come that far, as they do when each is the context of an action."""
    dist.init_process_group("gloo")
    for context in contexts:
        dist.barrier()
        with flyte.custom_context(**context):
            said = task.func(steps)
    dist.destroy_process_group()
    return str(said)
