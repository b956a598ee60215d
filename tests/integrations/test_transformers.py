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


def small_trainer(folder: str) -> Any:
    return transformers.Trainer(
        model=model(),
        args=arguments(output_dir=folder, max_steps=1, report_to="wandb"),
        train_dataset=training_rows(),
        eval_dataset=training_rows(),
    )


@wandb_init
@env.task
def searches(folder: str) -> None:
    """Finish between trainings, as transformers' search for hyperparameters does, then evaluate and fail."""
    trainer = small_trainer(folder)
    trainer.train()
    wandb.finish()
    trainer.evaluate()
    small_trainer(folder).train()
    wandb.finish()
    this_run().log({"after": 1})
    raise ValueError("evaluation failed")


def test_what_it_finishes_ends_with_the_task(online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="evaluation failed"):
        run_local(searches, str(tmp_path / "out"))
    ours, trial = online.runs
    assert (ours.state, ours.exit_code, len(ours.logged("eval/loss")), ours.logged("after")) == ("failed", 1, 1, [1])
    assert (trial.project, trial.state, len(trial.logged("train/loss"))) == ("huggingface", "finished", 1)
    assert get_wandb_run() is None
