"""Accelerate's tracker writes to the run of the task, and its end is the task's."""

from __future__ import annotations

from typing import Any

import flyte
import pytest

from flyte_wandb import wandb_init
from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT
from tests.conftest import LocalRun
from tests.current import this_run
from tests.integrations.pages import task_of
from tests.versions import with_torch

torch, accelerate = with_torch("torch"), with_torch("accelerate")
env = flyte.TaskEnvironment(name="with_accelerate")


@pytest.fixture
def accelerated(clean_client: None) -> Any:
    """The task of the page."""
    return task_of(ROOT / "docs" / "integrations.md", "accelerated", env=env, Accelerator=accelerate.Accelerator)


def test_its_tracker_writes_to_the_run_of_the_task(accelerated: Any, online: WandbServer, run_local: LocalRun) -> None:
    run_id = run_local(accelerated, 2)
    (run,) = online.runs
    assert (run.id, run.state, run.exit_code) == (run_id, "finished", 0)
    assert (run.logged("loss"), run.logged("after")) == ([1, 0.5], [1])


@wandb_init
@env.task
def evaluation_fails() -> None:
    accelerator = accelerate.Accelerator(log_with="wandb")
    accelerator.init_trackers("anything", config={"lr": 0.1})
    accelerator.log({"loss": 1})
    accelerator.end_training()
    this_run().log({"accuracy": 0.5})
    raise ValueError("evaluation failed")


def test_a_task_that_fails_after_the_training_has_a_failed_run(online: WandbServer, run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="evaluation failed"):
        run_local(evaluation_fails)
    (run,) = online.runs
    assert (run.state, run.exit_code, run.config["lr"]) == ("failed", 1, 0.1)
    assert (run.logged("loss"), run.logged("accuracy")) == ([1], [0.5])
