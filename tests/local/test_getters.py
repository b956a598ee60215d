"""Where the run is found: in the task, its traces and threads, in plain functions, and where it is not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flyte
import pytest
import wandb

from flyte_wandb import (
    get_distributed_info,
    get_wandb_context,
    get_wandb_run,
    get_wandb_run_dir,
    wandb_config,
    wandb_init,
)
from tests.conftest import LocalRun
from tests.offline import by_id, logs

env = flyte.TaskEnvironment(name="inside")
pytestmark = pytest.mark.usefixtures("offline")


def run_id() -> str | None:
    run = get_wandb_run()
    return run.id if run else None


@flyte.trace
async def traced() -> str | None:
    return run_id()


@flyte.trace
def traced_sync(x: int) -> str | None:
    return run_id()


def from_bare_thread() -> str | None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(run_id()))
    thread.start()
    thread.join()
    return found[0]


@wandb_init
@env.task
async def looks_everywhere() -> list[str | None]:
    with ThreadPoolExecutor(1) as pool:
        copied = pool.submit(contextvars.copy_context().run, run_id).result()
    return [run_id(), await traced(), await asyncio.to_thread(run_id), copied, from_bare_thread()]


def test_the_run_is_found_in_traces_and_threads(run_local: LocalRun) -> None:
    found = run_local(looks_everywhere)
    assert found[0] is not None
    assert found == [found[0]] * 5


@wandb_init
@env.task
def looks_in_a_sync_trace() -> list[str | None]:
    return [run_id(), traced_sync(1), from_bare_thread()]


def test_the_run_is_found_in_a_sync_trace(run_local: LocalRun) -> None:
    found = run_local(looks_in_a_sync_trace)
    assert found == [found[0]] * 3


def test_outside_of_everything_there_is_no_run() -> None:
    assert get_wandb_run() is None
    assert get_wandb_run_dir() is None
    assert get_wandb_context() is None
    assert get_distributed_info() is None


@wandb_init
@env.task
def asks_for_its_folder() -> bool:
    run = get_wandb_run()
    return run is not None and get_wandb_run_dir() == run.dir


def test_the_folder_is_the_runs(run_local: LocalRun) -> None:
    assert run_local(asks_for_its_folder)


@wandb_init(tags=["ignored here"])
def helper(x: int) -> str | None:
    return run_id()


@wandb_init(run_mode="new")  # which counts for nothing inside a tracked task
async def async_helper() -> str | None:
    return run_id()


@wandb_init
@env.task
async def calls_helpers() -> list[str | None]:
    with ThreadPoolExecutor(1) as pool:
        return [run_id(), helper(1), await async_helper(), pool.submit(helper, 1).result()]


def test_a_plain_function_inside_a_tracked_task_uses_its_run(run_local: LocalRun, tmp_path: Path) -> None:
    found = run_local(calls_helpers)
    assert found == [found[0]] * 4
    assert len(logs(tmp_path)) == 1


def test_a_plain_function_outside_flyte_has_a_run_of_its_own(tmp_path: Path) -> None:
    with wandb_config(project="outside", tags=["of the context"]):
        first, second = helper(1), asyncio.run(async_helper())
    found = by_id(tmp_path)
    assert set(found) == {first, second}
    assert first is not None
    assert first.endswith("-helper")
    assert (found[first].project, found[first].tags, found[first].exit_code) == ("outside", ["ignored here"], 0)
    assert found[second or ""].tags == ["of the context"]


def test_plain_functions_in_threads_outside_flyte_have_a_run_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(helper, range(3)))
    assert len(set(found)) == 3
    assert set(found) == set(by_id(tmp_path))


@wandb_init
def calls_another_in_a_bare_thread() -> list[str | None]:
    with ThreadPoolExecutor(1) as pool:
        return [run_id(), pool.submit(helper, 1).result()]


def test_a_plain_function_in_a_bare_thread_has_its_own_run_beside_that_of_another(tmp_path: Path) -> None:
    outer, inner = calls_another_in_a_bare_thread()
    assert {outer, inner} == set(by_id(tmp_path))
    assert outer != inner


@env.task
@wandb_init(project="below")
def decorated_below(x: int) -> str | None:
    return run_id()


def test_below_the_task_decorator_the_run_is_right_and_one_warning_tells_of_links(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = run_local(decorated_below, 1), run_local(decorated_below, 2)
    assert {log.id: log.project for log in logs(tmp_path)} == {first: "below", second: "below"}
    assert [message for message in caplog.messages if "outermost" in message] == [
        "@wandb_init is below @env.task on 'decorated_below': the run is right, but links need it to be the "
        "outermost decorator"
    ]


@wandb_init(notes="n", job_type="train", name="shown", group="g", settings={"x_disable_meta": True})
@env.task
def with_other_arguments() -> str | None:
    return run_id()


def test_other_arguments_of_wandb_init_are_handed_on(run_local: LocalRun, tmp_path: Path) -> None:
    opened = run_local(with_other_arguments)
    log = by_id(tmp_path)[opened]
    assert (log.notes, log.name, log.group) == ("n", "shown", "g")


@wandb_init
@env.task
async def reads_context() -> tuple[str, bool]:
    context = get_wandb_context()
    assert context is not None
    return context.project, context.entity is None


def test_the_context_is_read_back_in_a_task(run_local: LocalRun) -> None:
    assert run_local(reads_context, context={**wandb_config(project="p"), "team": "t"}) == ("p", True)


@wandb_init
@env.task
def changed(x: int) -> str | None:
    return run_id()


def test_an_override_after_decoration_keeps_the_run(run_local: LocalRun, tmp_path: Path) -> None:
    overridden = changed.override(short_name="other")
    assert overridden.links == changed.links
    assert run_local(overridden, 1) in by_id(tmp_path)


def test_the_registry_of_the_environment_holds_the_decorated_task() -> None:
    assert env.tasks["inside.changed"] is changed
    assert env.tasks["inside.changed"].links


def test_outside_a_run_a_decorated_task_is_a_plain_function(tmp_path: Path) -> None:
    found = changed.forward(1)
    assert found in by_id(tmp_path)


def test_wandb_log_without_a_run_still_says_what_wandb_says() -> None:
    with pytest.raises(wandb.errors.Error, match=r"must call wandb\.init"):
        wandb.log({"x": 1})
