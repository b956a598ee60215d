"""Every outcome of a task is told to W&B as it is, and never changed by the telling."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import wandb_config, wandb_init
from tests.checkout import process_environ
from tests.conftest import LocalRun
from tests.current import this_run
from tests.offline import by_id, logs
from tests.programs import run_python

env = flyte.TaskEnvironment(name="outcomes")
pytestmark = pytest.mark.usefixtures("offline")


@wandb_init
@env.task
def raises_sync() -> int:
    raise ValueError("sync trouble")


@wandb_init
@env.task
async def raises_async() -> int:
    raise ValueError("async trouble")


@pytest.mark.parametrize(("task", "words"), [(raises_sync, "sync trouble"), (raises_async, "async trouble")])
def test_an_exception_reaches_the_caller_and_fails_the_run(
    task: Any, words: str, run_local: LocalRun, tmp_path: Path
) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match=words):
        run_local(task)
    assert [log.exit_code for log in logs(tmp_path)] == [1]


GOES_ON_AFTER_SIGTERM = """
import contextlib, signal
from flyte_wandb import wandb_init
from tests.current import this_run

@wandb_init(id="mine")
def goes_on():
    with contextlib.suppress(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    this_run().log({"saved": True})
    return "the result"

print(goes_on())
"""


def test_a_function_that_returns_although_sigterm_has_arrived_has_succeeded(tmp_path: Path) -> None:
    """In a process of its own, which is ended where finishing takes too long."""
    environ = process_environ(tmp_path, {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)})
    result = run_python("-c", GOES_ON_AFTER_SIGTERM, folder=tmp_path, environ=environ)
    assert result.stdout.splitlines()[-1:] == ["the result"], result.stderr
    log = by_id(tmp_path)["mine"]
    assert (log.exit_code, log.logged("saved")) == (0, [True])


@wandb_init
@env.task
async def waits_for_ever() -> int:
    WAITING.set()
    await asyncio.Event().wait()
    return 0


WAITING = asyncio.Event()


@env.task
async def cancels_its_child() -> str:
    WAITING.clear()
    child = asyncio.ensure_future(waits_for_ever())
    await WAITING.wait()
    child.cancel()
    try:
        await child
    except asyncio.CancelledError:
        return "cancelled"
    return "not cancelled"


def test_a_cancelled_task_fails_its_run_and_stays_cancelled(run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(cancels_its_child) == "cancelled"
    assert [log.exit_code for log in logs(tmp_path)] == [1]


@wandb_init
@env.task
async def flaky() -> str:
    ATTEMPTS.append(1)
    run = this_run()
    run.log({"attempt": len(ATTEMPTS)})
    if len(ATTEMPTS) == 1:
        raise RuntimeError("try again")
    return run.id


ATTEMPTS: list[int] = []


def test_a_second_attempt_in_the_same_process_opens_the_same_run(run_local: LocalRun, tmp_path: Path) -> None:
    ATTEMPTS.clear()
    run_id = run_local(flaky.override(retries=1))
    assert [(log.id, log.exit_code, log.logged("attempt")) for log in logs(tmp_path)] == [
        (run_id, 1, [1]),
        (run_id, 0, [2]),
    ]


@wandb_init
@env.task
def breaks_wandb() -> int:
    wandb.teardown()
    return 7


def test_a_broken_client_costs_nobody_a_result(run_local: LocalRun) -> None:
    assert run_local(breaks_wandb) == 7


@wandb_init
@env.task
def breaks_wandb_and_raises() -> int:
    wandb.teardown()
    raise ValueError("the user's own")


def test_a_broken_client_hides_nobodys_exception(run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="the user's own"):
        run_local(breaks_wandb_and_raises)


@wandb_init
@env.task
def finishes_itself() -> str:
    run = this_run()
    run.finish(exit_code=5)
    return run.id


def test_a_run_that_the_task_finished_itself_has_the_outcome_of_the_task(run_local: LocalRun, tmp_path: Path) -> None:
    run_id = run_local(finishes_itself)
    assert by_id(tmp_path)[run_id].exit_code == 0


@wandb_init
@env.task
async def child_that_outlives() -> str:
    await GATE.wait()
    run = this_run()
    run.log({"late": 1})
    return run.id


@wandb_init
@env.task
async def parent_that_ends_first() -> str:
    CHILDREN.append(asyncio.ensure_future(child_that_outlives()))
    await asyncio.sleep(0)
    run = this_run()
    return run.id


GATE = asyncio.Event()
CHILDREN: list[asyncio.Future[str]] = []


@env.task
async def watches_both() -> list[str]:
    GATE.clear()
    parent = await parent_that_ends_first()
    GATE.set()
    return [parent, await CHILDREN.pop()]


def test_a_child_that_outlives_its_parent_still_reaches_one_run(run_local: LocalRun, tmp_path: Path) -> None:
    parent, child = run_local(watches_both)
    assert parent == child
    assert sum(log.logged("late") == [1] for log in logs(tmp_path)) == 1
    assert {log.id for log in logs(tmp_path)} == {parent}


@wandb_init
@env.task
async def succeeds() -> None:
    assert "_wandb_run_id" in flyte.get_custom_context()


def test_nothing_is_left_in_flytes_context(run_local: LocalRun) -> None:
    assert run_local(context_before_and_after, context=wandb_config(project="p")) == [["wandb_project"]] * 2


@env.task
async def context_before_and_after() -> list[list[str]]:
    before = sorted(flyte.get_custom_context())
    await succeeds()
    return [before, sorted(flyte.get_custom_context())]
