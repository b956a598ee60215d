"""The Trainer of transformers writes to the run of the task, and its end is the task's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import get_wandb_run, wandb_init
from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT
from tests.conftest import LocalRun
from tests.current import this_run
from tests.integrations.pages import task_of
from tests.offline import by_id
from tests.versions import with_torch

torch, transformers = with_torch("torch"), with_torch("transformers")
env = flyte.TaskEnvironment(name="with_transformers")


def model() -> Any:
    config = transformers.GPT2Config(n_layer=1, n_head=1, n_embd=4, vocab_size=8, n_positions=4)
    return transformers.GPT2LMHeadModel(config)


def training_rows() -> list[dict[str, Any]]:
    return [{"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor([1, 2, 3])} for _ in range(4)]


def arguments(**options: Any) -> Any:
    """Make arguments that write only what the test looks at."""
    quiet: dict[str, Any] = {"use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}
    return transformers.TrainingArguments(per_device_train_batch_size=2, logging_steps=1, **quiet, **options)


@pytest.fixture
def fine_tune(clean_client: None) -> Any:
    """The task of the page."""
    names = {"TrainingArguments": arguments, "Trainer": transformers.Trainer, "model": model, "rows": training_rows}
    return task_of(ROOT / "docs" / "integrations.md", "fine_tune", env=env, **names)


def test_it_writes_to_the_run_of_the_task(fine_tune: Any, online: WandbServer, run_local: LocalRun) -> None:
    run_id = run_local(fine_tune, 2)
    (run,) = online.runs
    assert (run.id, run.state, run.exit_code) == (run_id, "finished", 0)
    assert (len(run.logged("train/loss")), run.logged("after")) == (2, [1]), "the trainer has closed the run"
    assert (run.config["max_steps"], run.config["n_layer"]) == (2, 1)
    assert run.config["flyte"]["run"] == "r1"


def test_offline_as_well(fine_tune: Any, offline: None, run_local: LocalRun, tmp_path: Path) -> None:
    run_id = run_local(fine_tune, 1)
    (log,) = by_id(tmp_path).values()
    assert (log.id, log.exit_code, len(log.logged("train/loss"))) == (run_id, 0, 1)


@wandb_init
@env.task
def ended_by_somebody_else() -> str:
    """Do what the search for hyperparameters of transformers does before each trial."""
    this_run().log({"x": 1})
    wandb.finish()
    return this_run().id


def test_a_run_that_somebody_else_finishes_harms_neither_its_task_nor_the_next(
    online: WandbServer, run_local: LocalRun
) -> None:
    first, second = run_local(ended_by_somebody_else), run_local(ended_by_somebody_else, name="r2")
    assert first != second
    assert [(run.id, run.state, run.logged("x")) for run in online.runs] == [
        (first, "finished", [1]),
        (second, "finished", [1]),
    ]
    assert get_wandb_run() is None
