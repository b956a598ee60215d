"""Tests that users have: they put something else in the place of `wandb.init`, and go on to pass."""

from __future__ import annotations

from pathlib import Path

from tests.programs import run_pytest

# A user's own suite. It runs in a process of its own, since nothing here stands in for anything.
SUITE = """
from unittest.mock import MagicMock, create_autospec, patch

import flyte
import pytest
import wandb

from flyte_wandb import get_wandb_run, wandb_config, wandb_init

env = flyte.TaskEnvironment(name="users")


class Fake:
    def __init__(self):
        self.rows, self.ended = [], []

    def log(self, row):
        self.rows.append(row)

    def finish(self, exit_code=None):
        self.ended.append(exit_code)


@wandb_init(project="p", tags=["a"], download_logs=True)
@env.task
def train(lr: float) -> float:
    get_wandb_run().log({"loss": lr})
    return lr


@wandb_init
@env.task
async def atrain(lr: float) -> float:
    get_wandb_run().log({"loss": lr})
    return lr


@wandb_init
@env.task
async def parent(lr: float) -> float:
    get_wandb_run().log({"parent": 1})
    return await atrain.aio(lr) if hasattr(atrain, "aio") else await atrain(lr)


@wandb_init(project="p")
@env.task
def fails(lr: float) -> float:
    raise ValueError("the loss is not a number")


@wandb_init
@env.task
def logs_globally(lr: float) -> float:
    wandb.log({"loss": lr})
    return lr


def run(task, lr=0.5):
    flyte.init()
    return flyte.with_runcontext(mode="local", custom_context=wandb_config(entity="team")).run(task, lr=lr).outputs()[0]


MOCKS = [MagicMock, lambda: MagicMock(spec=wandb.Run), lambda: create_autospec(wandb.Run, instance=True)]


@pytest.mark.parametrize("task", [train, atrain])
@pytest.mark.parametrize("make", MOCKS)
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_mock(task, make, mode, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", mode)
    with patch("wandb.init", return_value=make()) as init:
        assert run(task) == 0.5
    init.assert_called_once()
    assert init.call_args.kwargs["entity"] == "team"
    init.return_value.log.assert_called_once_with({"loss": 0.5})
    init.return_value.finish.assert_called_once()


def test_a_fake():
    fake = Fake()
    with patch("wandb.init", return_value=fake):
        run(train)
        run(parent)
        with pytest.raises(Exception, match="not a number"):
            run(fails)
    assert fake.rows == [{"loss": 0.5}, {"parent": 1}, {"loss": 0.5}]
    assert fake.ended == [0, 0, 1]
    assert wandb.run is None


def test_globals_are_left_to_who_stands_in_for_them():
    with patch("wandb.init"), patch("wandb.log") as log:
        run(logs_globally)
    log.assert_called_once_with({"loss": 0.5})
"""


def test_a_suite_that_stands_in_for_wandb_init_passes(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(SUITE)
    environ = {"WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}
    done = run_pytest("test_users.py", folder=tmp_path, environ=environ)
    assert done.returncode == 0, done.stdout
    assert "14 passed" in done.stdout
