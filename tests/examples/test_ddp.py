"""The example of distributed training: real torch, gloo, two ranks under Elastic; and Flyte's local mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from examples import ddp
from flyte_wandb import wandb_config
from flyte_wandb.testing import WandbServer, run_container
from tests.conftest import LocalRun
from tests.offline import logs
from tests.versions import TORCH


@pytest.mark.parametrize(
    ("run_mode", "run_ids"), [("auto", ["run1-a0"]), ("new", ["run1-a0-rank-0", "run1-a0-rank-1"])]
)
def test_two_ranks_train_one_model_and_the_loss_is_in_the_history(
    run_mode: str, run_ids: list[str], server: WandbServer, tmp_path: Path
) -> None:
    context = wandb_config(run_mode=run_mode)
    options: dict[str, Any] = {"inputs": {"epochs": 4}, "context": context, "environ": server.environ, "warm": TORCH}
    result = run_container(ddp.train, folder=tmp_path, **options)
    assert result.error is None, result.log
    assert sorted(record.id for record in server.runs) == run_ids
    for record in server.runs:
        losses = [row["loss"] for row in record.history]
        assert [row["epoch"] for row in record.history] == [0, 1, 2, 3]
        assert losses == sorted(losses, reverse=True)
        assert (record.project, record.state, record.config["lr"]) == ("ddp", "finished", 0.1)
    assert server.run(run_ids[0]).history[-1]["loss"] == pytest.approx(result.value)


@pytest.mark.usefixtures("offline")
def test_the_same_file_runs_in_local_mode(run_local: LocalRun, tmp_path: Path) -> None:
    loss = run_local(ddp.train, 3)
    (log,) = logs(tmp_path)
    assert log.logged("loss")[-1] == pytest.approx(loss)
    assert (log.project, log.exit_code) == ("ddp", 0)
