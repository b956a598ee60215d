"""Sweeps of W&B's agent in tasks of one process, in local mode: one after the other, at once, and in a tracked task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flyte
import wandb
from wandb.agents.pyagent import Agent

from benchmarks._local import local_runner

from .adapter import get_wandb_run, get_wandb_sweep_id, wandb_config, wandb_init, wandb_sweep, wandb_sweep_config
from .tasks import log

env = flyte.TaskEnvironment(name="searches")


@wandb_init
def objective() -> None:
    """Log the parameter, with which a trial is told from others."""
    run = get_wandb_run()
    assert run is not None
    log(who=str(run.config.x))


@wandb_sweep
@env.task
async def search(project: str) -> str:
    """Have W&B's agent do the two trials of a sweep, in a thread, as it blocks."""
    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    await asyncio.to_thread(wandb.agent, sweep_id, function=objective, count=2, entity="local", project=project)
    return "done"


@wandb_sweep
@env.task
async def agent(sweep_id: str) -> str:
    """Have an agent do a trial, and the event loop wait for it, as the existing plugin's documentation shows."""
    wandb.agent(sweep_id, function=objective, count=1, entity="local", project="p")
    return "done"


@wandb_sweep
@env.task
async def agents() -> str:
    """Call two agents of one sweep."""
    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    await asyncio.gather(agent(sweep_id), agent(sweep_id))
    return "done"


@contextmanager
def _grid(project: str, first: int) -> Iterator[None]:
    """Describe a sweep of two trials."""
    parameters: Any = {"x": {"values": [first, first + 1]}}
    with wandb_config(project=project), wandb_sweep_config(method="grid", parameters=parameters, project=project):
        yield


async def _search(project: str, first: int) -> None:
    with _grid(project, first):
        await search(project)


@env.task
async def alone() -> str:
    await _search("p", 1)
    return "done"


@env.task
async def together() -> str:
    with _grid("p", 1):
        await agents()
    return "done"


@env.task
async def in_turns() -> str:
    await _search("p", 1)
    await _search("q", 3)
    return "done"


@env.task
async def at_once() -> str:
    await asyncio.gather(_search("p", 1), _search("q", 3))
    return "done"


@wandb_init(project="p")
@env.task
async def tracked() -> str:
    """Log before and after a search below."""
    log(who="0")
    await _search("p", 1)
    log(who="9")
    return "done"


def run(task: str) -> str:
    """Run one of the tasks."""
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    return str(local_runner(Path.cwd())(globals()[task], context=dict(wandb_config(entity="local").items())))
