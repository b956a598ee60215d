"""Runs that are opened with one argument of `wandb.init` each, many in a container or rank: a launch takes seconds."""

from __future__ import annotations

from typing import Any, Final, get_args

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import RunMode, wandb_init
from tests.current import this_run

env = flyte.TaskEnvironment(name="arguments")
clustered = ClusteredTaskEnvironment(name="arguments_of_ranks", replicas=1, nproc_per_node=2)

ARGUMENTS: Final[dict[str, Any]] = {
    "project": "vision",
    "entity": "team",
    "id": "mine",
    "name": "my run",
    "tags": ["a"],
    "config": {"lr": 0.1},
    "group": "ours",
    "mode": "offline",
    "notes": "n",
    "job_type": "train",
    "dir": "somewhere",
    "config_exclude_keys": ["lr"],
    "config_include_keys": ["lr"],
    "allow_val_change": True,
    "force": True,
    "resume": "allow",
    "resume_from": "base?_step=1",
    "fork_from": "base?_step=1",
    "save_code": False,
    "tensorboard": False,
    "sync_tensorboard": False,
    "monitor_gym": False,
    "settings": {"x_disable_meta": True},
}
"""A value for every argument."""


def argument_of(name: str) -> dict[str, Any]:
    """Return an argument, and what it needs beside it."""
    return {name: ARGUMENTS[name], **({"project": "vision", "entity": "team"} if name.endswith("_from") else {})}


def log_a_row() -> str:
    run = this_run()
    run.log({"x": 1})
    return run.id


def open_each_run(run_mode: str) -> dict[str, str]:
    """Open a run with each argument, and return its id or what went wrong."""
    found: dict[str, str] = {}
    for name in ARGUMENTS:
        own_id = {} if name == "resume_from" else {"id": f"{run_mode}-{name.replace('_', '-')}"}
        try:
            found[name] = wandb_init(run_mode=run_mode, **{**argument_of(name), **own_id})(log_a_row)()
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


@env.task
def opens_each_run() -> dict[str, str]:
    return open_each_run("auto")


@clustered.task
def opens_each_run_of_its_rank() -> dict[str, dict[str, str]]:
    return {run_mode: open_each_run(run_mode) for run_mode in get_args(RunMode)}
