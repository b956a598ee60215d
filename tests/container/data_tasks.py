"""Pairs of tasks that do the same work, one in a tracked run and one in a run that it opens and finishes itself."""

from __future__ import annotations

import threading
from pathlib import Path

import flyte
import wandb

from flyte_wandb import wandb_init
from tests.current import this_run

env = flyte.TaskEnvironment(name="data")


def work(run: wandb.Run) -> None:
    print("printed by the task")
    run.log({"loss": 1})


def work_in_bare_run(run_id: str) -> None:
    run = wandb.init(id=run_id)
    work(run)
    _wait_for_machine(run)
    run.finish()


def _wait_for_machine(run: wandb.Run) -> None:
    """Wait until W&B's service has the data of the machine: it leaves them out of a bare run that ends before."""
    metadata = Path(run.settings.files_dir, "wandb-metadata.json")
    while not metadata.exists() or "cpu_count" not in metadata.read_text():
        threading.Event().wait(0.01)


@wandb_init
@env.task
def tracked() -> None:
    work(this_run())


@env.task
def bare() -> None:
    work_in_bare_run("bare-run")


@wandb_init
@env.task
async def tracked_async() -> None:
    work(this_run())


@env.task
async def bare_async() -> None:
    work_in_bare_run("bare_async-run")


@wandb_init(id="first-of-tracked_twice", joinable=False)
def first() -> None:
    work(this_run())


@wandb_init(id="second-of-tracked_twice", joinable=False)
def second() -> None:
    work(this_run())


@env.task
def tracked_twice() -> None:
    first()
    second()


@env.task
def bare_twice() -> None:
    work_in_bare_run("first-of-bare_twice")
    work_in_bare_run("second-of-bare_twice")
