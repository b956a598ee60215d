"""Lightning's WandbLogger writes to the run of the task, and its end is the task's."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.testing import WandbServer, run_ranks
from tests.checkout import ROOT
from tests.conftest import LocalRun
from tests.current import this_run
from tests.integrations import tasks
from tests.integrations.pages import task_of
from tests.offline import by_id
from tests.versions import TORCH, with_torch

torch, lightning = with_torch("torch"), with_torch("lightning")
models = with_torch("tests.integrations.lightning_model")
env = flyte.TaskEnvironment(name="with_lightning")


def trainer(**options: Any) -> Any:
    """Make a trainer that writes only what the test looks at."""
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return lightning.Trainer(accelerator="cpu", log_every_n_steps=1, **quiet, **options)


def batches() -> Any:
    return torch.utils.data.DataLoader(torch.ones(4, 2), batch_size=2)


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The task of the page."""
    names = {"Model": models.Model, "Trainer": trainer, "batches": batches}
    return task_of(ROOT / "docs" / "integrations.md", "train", env=env, **names)


def test_its_logger_writes_to_the_run_of_the_task(train: Any, online: WandbServer, run_local: LocalRun) -> None:
    run_id = run_local(train, 2)
    (run,) = online.runs
    assert (run.id, run.state, run.exit_code) == (run_id, "finished", 0)
    assert (len(run.logged("loss")), run.logged("trainer/global_step")[:4]) == (4, [0, 1, 2, 3])
    assert run.logged("after") == [1], "the logger has closed the run"
    assert run.config["width"] == 2


def test_offline_as_well(train: Any, offline: None, run_local: LocalRun, tmp_path: Path) -> None:
    run_id = run_local(train, 1)
    (log,) = by_id(tmp_path).values()
    assert (log.id, log.exit_code, len(log.logged("loss"))) == (run_id, 0, 2)


@wandb_init
@env.task
def fails() -> None:
    from lightning.pytorch.loggers import WandbLogger

    trainer(max_epochs=1, logger=WandbLogger()).fit(models.Model(width=2, fails=True), batches())


def test_a_training_that_fails_is_a_failed_run(online: WandbServer, run_local: LocalRun) -> None:
    with pytest.raises(Exception, match="the user's own"):
        run_local(fails)
    (run,) = online.runs
    assert (run.state, run.exit_code) == ("failed", 1)


@wandb_init
@env.task
def finishes_and_evaluates(fails: bool) -> None:
    """End W&B after the training, as its documentation has it for Lightning, then evaluate with the same logger."""
    from lightning.pytorch.loggers import WandbLogger

    model, one = models.Model(width=2), trainer(max_epochs=1, limit_val_batches=0, logger=WandbLogger())
    one.fit(model, batches(), batches())
    wandb.finish()
    another = trainer(logger=one.logger)
    another.validate(model, batches(), verbose=False)
    one.logger.experiment.finish()
    this_run().log({"after": 1})
    if fails:
        raise ValueError("evaluation failed")


@pytest.mark.parametrize("fails", [False, True])
def test_the_run_ends_with_the_task_whoever_finishes_it(fails: bool, online: WandbServer, run_local: LocalRun) -> None:
    failing = pytest.raises(flyte.errors.RuntimeUserError, match="evaluation failed") if fails else nullcontext()
    with failing:
        run_local(finishes_and_evaluates, fails)
    (run,) = online.runs
    assert (run.state, run.exit_code) == (("failed", 1) if fails else ("finished", 0))
    assert [len(run.logged(name)) for name in ("loss", "accuracy", "after")] == [2, 1, 1]


def test_on_a_rank_that_skips_the_logger_opens_no_run(server: WandbServer, tmp_path: Path) -> None:
    inputs = {"loss": 0.5}
    options: dict[str, Any] = {"inputs": inputs, "environ": server.environ, "warm": TORCH}
    results = run_ranks(tasks.asks_lightning, folder=tmp_path, nodes=(2,), **options)
    assert [result.error for result in results] == [None, None], [result.log for result in results]
    (run,) = server.runs
    assert (run.id, run.logged("loss"), run.state) == ("run1-a0", [0.5], "finished")
    assert results[0].value == "run1-a0"
