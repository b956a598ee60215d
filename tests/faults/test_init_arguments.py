"""Every argument of `wandb.init` that is accepted opens a run: of a plain function, a task, and another attempt."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.settings._schema import FIELDS, OWN_FIELDS
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="arguments")
FAILURES: list[BaseException] = []

ARGUMENTS: dict[str, Any] = {
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


def test_the_table_has_every_argument() -> None:
    theirs = set(inspect.signature(wandb.init).parameters)
    assert set(ARGUMENTS) == theirs & set(FIELDS)
    assert set(FIELDS) - set(OWN_FIELDS) <= set(ARGUMENTS)


def log_and_fail() -> str:
    run = this_run()
    run.log({"x": 1})
    if FAILURES:
        raise FAILURES.pop()
    return run.id


@pytest.mark.parametrize("name", ARGUMENTS)
def test_it_opens_the_run_of_a_function_a_task_and_another_attempt(
    name: str, online: WandbServer, run_local: LocalRun, tmp_path: Path
) -> None:
    (tmp_path / "somewhere").mkdir()
    with wandb.init(project="vision", entity="team", id="base") as base:
        for row in range(3):
            base.log({"row": row})
    beside = {"project": "vision", "entity": "team"} if name.endswith("_from") else {}
    argument = {name: ARGUMENTS[name], **beside}
    ids = [wandb_init(**argument)(log_and_fail)()]
    FAILURES[:] = [ConnectionError("the node went away")]
    task = wandb_init(**argument)(env.task(retries=1)(log_and_fail))
    ids.append(run_local(task))
    if name == "mode":
        assert [run.id for run in online.runs] == ["base"]
        return
    for run_id in ids:
        (run,) = (run for run in online.runs if run.id == run_id)
        assert (run.state, run.exit_code) == ("finished", 0)
    assert len(run.logged("x")) == (3 if name == "id" else 2), "both attempts, and what had the same id before"
