"""Whoever finishes a run or ends W&B's client inside of a task: the run ends with the task, and with its outcome."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import get_wandb_run, wandb_init
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="ended")


def finish_it() -> None:
    wandb.finish()


def finish_as_failed() -> None:
    this_run().finish(exit_code=3)


def leave_its_context() -> None:
    with this_run():
        pass


def leave_the_context_of_init() -> None:
    with wandb.init() as run:
        assert run is this_run()


def open_another() -> None:
    with wandb.init(reinit="finish_previous", project="helper") as run:
        run.log({"helper": 1})


def open_another_after_finishing() -> None:
    wandb.finish()
    assert wandb.run is None, "a library that looks here opens a run of its own, as it would without this package"
    with wandb.init(project="helper") as run:
        assert wandb.run is run
        run.log({"helper": 1})


def end_the_client() -> None:
    wandb.teardown()


def finish_in_a_fork() -> None:
    if not (child := os.fork()):
        try:
            this_run().finish(exit_code=9)
            wandb.teardown()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


ENDS = {
    end.__name__: end
    for end in (
        finish_it,
        finish_as_failed,
        leave_its_context,
        leave_the_context_of_init,
        open_another,
        open_another_after_finishing,
        end_the_client,
        finish_in_a_fork,
    )
}


@wandb_init
@env.task
async def ends_and_goes_on(end: str, fails: bool) -> str:
    run = this_run()
    run.log({"x": 0})
    ENDS[end]()
    assert get_wandb_run() is run
    run.log({"x": 1})
    if fails:
        raise ValueError("evaluation failed")
    return run.id


@pytest.mark.parametrize("end", ENDS)
def test_rows_arrive_and_the_outcome_is_the_tasks(end: str, online: WandbServer, run_local: LocalRun) -> None:
    run_id = run_local(ends_and_goes_on, end, False)
    with pytest.raises(flyte.errors.RuntimeUserError, match="evaluation failed"):
        run_local(ends_and_goes_on, end, True, name="r2")
    good, bad = (run for run in online.runs if run.project != "helper")
    assert (good.id, good.state, good.exit_code, good.logged("x")) == (run_id, "finished", 0, [0, 1])
    assert (bad.state, bad.exit_code, bad.logged("x")) == ("failed", 1, [0, 1])
    helpers = [run.logged("helper") for run in online.runs if run.project == "helper"]
    assert helpers == ([[1], [1]] if "another" in end else [])


@wandb_init
@env.task
async def child(x: int) -> int:
    wandb.log({"child": x})
    wandb.finish()
    wandb.log({"child": x + 1})
    return x


@wandb_init
@env.task
async def parent() -> str:
    await child(1)
    wandb.log({"parent": 1})
    assert wandb.init() is this_run(), "a library of the parent's would open another run"
    return this_run().id


def test_a_child_that_finishes_its_parents_run_leaves_it_and_wandb_run_to_the_parent(
    online: WandbServer, run_local: LocalRun
) -> None:
    run_id = run_local(parent)
    (run,) = online.runs
    assert (run.id, run.state, run.logged("child"), run.logged("parent")) == (run_id, "finished", [1, 2], [1])


@wandb_init(run_mode="new")
@env.task
async def sibling(end: str) -> int:
    this_run().log({"x": 0})
    both = meeting()
    await both.wait()
    if end:
        ENDS[end]()
    await both.wait()
    this_run().log({"x": 1})
    return 1


class Meeting:
    """Two who wait for each other, again and again."""

    def __init__(self) -> None:
        self._here = 0
        self._changed = asyncio.Condition()

    async def wait(self) -> None:
        async with self._changed:
            self._here += 1
            target = self._here + self._here % 2
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._here >= target)


MEETINGS: list[Meeting] = []


def meeting() -> Meeting:
    return MEETINGS[-1]


@env.task
async def siblings(end: str) -> int:
    MEETINGS.append(Meeting())
    return sum(await asyncio.gather(sibling(end), sibling("")))


@pytest.mark.parametrize("end", ["open_another", "end_the_client"])
def test_no_other_task_of_the_process_is_touched(end: str, online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(siblings, end) == 2
    runs = [run for run in online.runs if run.project != "helper"]
    assert [(run.state, run.logged("x")) for run in runs] == [("finished", [0, 1])] * 2


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("end_the_client", "called wandb.teardown() while runs of tasks are open in this process"),
        ("finish_as_failed", "with exit_code=3; the run ends with its task, and gets the task's outcome"),
    ],
)
def test_the_log_says_who_asked_for_what_was_not_done(
    end: str, message: str, online: WandbServer, run_local: LocalRun, caplog: Any
) -> None:
    run_local(ends_and_goes_on, end, False)
    (said,) = [record.getMessage() for record in caplog.records if message in record.getMessage()]
    assert said.startswith(f"{__file__}:")
    assert wandb.run is None
