"""Tasks that the suites run through the real `a0` entry point: importable, each under its function's name."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import flyte
import wandb

from flyte_wandb import get_distributed_info, wandb_init
from tests.current import this_run

env = flyte.TaskEnvironment(name="container")


@wandb_init(config={"lr": 0.1}, notes="a note", job_type="train")
@env.task
def leaf(x: int) -> str:
    run = this_run()
    print("printed by the task")
    for step in range(x):
        run.log({"x": step})
    assert wandb.run is run
    assert get_distributed_info() is None
    return run.id


@wandb_init(joinable=False)
@env.task
async def closed(x: int) -> int:
    run = this_run()
    run.log({"x": x}, step=4)
    return run.step


@wandb_init(settings=wandb.Settings(mode="offline"))
@env.task
def says_offline(x: int) -> int:
    this_run().log({"x": x})
    return x


@wandb_init
@env.task
async def auto_child(x: int) -> str:
    this_run().log({"child": x})
    return this_run().id


@wandb_init(run_mode="new")
@env.task
def new_child(x: int) -> str:
    this_run().log({"child": x})
    return this_run().id


@wandb_init(run_mode="shared", config={"child": True})
@env.task
def shared_child(x: int) -> str:
    this_run().log({"child": x})
    return this_run().id


def in_a_container(child: Any) -> str:
    """Run a child as the control plane would: in another process, with the context in force here."""
    from flyte_wandb.testing import run_container

    names = ("WANDB_BASE_URL", "WANDB_API_KEY", "WANDB_MODE")
    environ = {name: os.environ[name] for name in names if name in os.environ}
    context = dict(flyte.get_custom_context())
    folder = Path.cwd()
    result = run_container(child, folder=folder, inputs={"x": 7}, context=context, environ=environ, action_name="a1")
    if result.error:
        raise RuntimeError(result.error)
    return str(result.value)


@wandb_init(config={"parent": True})
@env.task
def parent(child: str) -> list[str]:
    run = this_run()
    run.log({"parent": 1})
    children = [in_a_container(globals()[child])]
    run.log({"parent": 2})
    return [run.id, *children]


@wandb_init(joinable=False)
@env.task
def closed_parent(child: str) -> list[str]:
    return [this_run().id, in_a_container(globals()[child])]


@wandb_init
@env.task
def fails(how: str) -> int:
    this_run().log({"before": 1})
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    raise ValueError("the user's own")


@wandb_init
@env.task
async def fails_async(how: str) -> int:
    this_run().log({"before": 1})
    if how == "cancelled":
        raise asyncio.CancelledError
    if how == "exit":
        sys.exit(3)
    raise ValueError("the user's own")
