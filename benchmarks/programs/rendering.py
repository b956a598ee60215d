"""Decorating a large task, and rendering its links."""

from __future__ import annotations

import os
import time
from typing import Any

import flyte

from .adapter import wandb_init


def work() -> None:
    """Do nothing."""


def decorate(task: Any) -> tuple[float, Any]:
    """Give a task all the links that it can get: the seconds that this takes, and the decorated task."""
    started = time.perf_counter()
    decorated = wandb_init(run_mode="new", rank_scope="worker")(task)
    return time.perf_counter() - started, decorated


def render_links() -> dict[str, float]:
    """Decorate two tasks of 1,000 nodes with 8 ranks each, and render their links, beyond what Flyte renders anyway.

    Host, entity and project are set, as a platform sets them.
    """
    from flyteplugins.pytorch import Elastic

    os.environ["WANDB_BASE_URL"] = "https://api.wandb.ai"
    env = flyte.TaskEnvironment(name="large", plugin_config=Elastic(nnodes=1000, nproc_per_node=8))
    _render(env.task(work))  # what Flyte itself loads at the first
    decorating, decorated = decorate(env.task(work))
    _, second = decorate(env.task(work))
    bare, _ = _render(env.task(work))
    whole, links = _render(decorated)
    again, _ = _render(second)
    rendering, again = (max(seconds - bare, 0.0) for seconds in (whole, again))
    return {"decorating": decorating, "rendering": rendering, "again": again, "links": links}


def _render(task: Any) -> tuple[float, int]:
    from tests.links.rendering import log_links

    started = time.perf_counter()
    links = log_links(task, {"wandb_project": "p", "wandb_entity": "team"})
    return time.perf_counter() - started, len(links)
