"""Decorating a task of 1,000 nodes with 8 ranks each, a run or group per node, and rendering its links."""

from __future__ import annotations

import json
import time
from typing import Any

import flyte
from flyteplugins.pytorch import Elastic

from tests.links.rendering import log_links

from .adapter import wandb_init

CONTEXT = {"wandb_project": "p", "wandb_entity": "team"}
env = flyte.TaskEnvironment(name="large", plugin_config=Elastic(nnodes=1000, nproc_per_node=8))


def work() -> None:
    """Do nothing."""


def measured() -> tuple[float, float, int]:
    """Return the seconds of the decoration and of the rendering, and the number of links."""
    task: Any = env.task(work)
    started = time.perf_counter()
    decorated = wandb_init(run_mode="new", rank_scope="worker")(task)
    took = time.perf_counter() - started
    bare = _rendering(task=env.task(work))[0]
    whole, links = _rendering(task=decorated)
    return took, max(whole - bare, 0.0), links


def _rendering(task: Any) -> tuple[float, int]:
    started = time.perf_counter()
    links = log_links(task, CONTEXT)
    return time.perf_counter() - started, len(links)


if __name__ == "__main__":
    _rendering(task=env.task(work))  # what Flyte itself loads at the first
    print(json.dumps(measured()))
