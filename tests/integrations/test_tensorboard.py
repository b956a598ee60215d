"""`sync_tensorboard=True` sends what a task writes for TensorBoard to the run of the task, and to no other run."""

from __future__ import annotations

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.versions import with_torch

with_torch("torch")
tensorboard = with_torch("torch.utils.tensorboard")
env = flyte.TaskEnvironment(name="with_tensorboard")


@wandb_init(sync_tensorboard=True)
@env.task
def train(folder: str, fails: bool) -> str:
    with tensorboard.SummaryWriter(folder) as writer:
        for step in range(3):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.flush()
        wandb.finish()
        writer.add_scalar("accuracy", 0.5, 3)
    this_run().log({"after": 1})
    if fails:
        raise ValueError("evaluation failed")
    return this_run().id


@wandb_init
@env.task
def counts_steps() -> str:
    for step in (5, 7):
        this_run().log({"row": step}, step=step)
    return this_run().id


def test_it_writes_to_the_run_of_the_task(online: WandbServer, run_local: LocalRun, tmp_path: object) -> None:
    run_id = run_local(train, f"{tmp_path}/train", False)
    with pytest.raises(flyte.errors.RuntimeUserError, match="evaluation failed"):
        run_local(train, f"{tmp_path}/fails", True)
    trained, failed = online.runs
    assert (trained.id, trained.state, trained.exit_code) == (run_id, "finished", 0)
    assert (failed.state, failed.exit_code) == ("failed", 1)
    for run in (trained, failed):
        assert run.logged("loss") == pytest.approx([1, 1 / 2, 1 / 3])
        assert (run.logged("accuracy"), run.logged("after")) == ([0.5], [1])


def test_the_next_task_of_the_process_has_its_own_steps(
    online: WandbServer, run_local: LocalRun, tmp_path: object
) -> None:
    run_local(train, f"{tmp_path}/train", False)
    assert wandb.patched["tensorboard"] == []
    run = online.run(run_local(counts_steps))
    assert [row["_step"] for row in run.history] == [5, 7]
