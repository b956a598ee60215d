"""Where a decorated function may stand and run, and the names that its run has there."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import HookError, Request, SettingError, Settings, plan, wandb_config, wandb_init
from tests.conftest import LocalRun
from tests.current import this_run
from tests.messages import own_messages
from tests.offline import by_id, logs

env = flyte.TaskEnvironment(name="names")


@wandb_init
async def helper(x: int, both: asyncio.Event | None = None) -> str:
    if both:
        both.set() if x else await both.wait()
    return this_run().id


@wandb_init
@flyte.trace
async def traced(x: int) -> str:
    return this_run().id


@env.task
async def untracked() -> list[str]:
    both = asyncio.Event()
    return [*await asyncio.gather(helper(0, both), helper(1, both)), await traced(1)]


@pytest.mark.usefixtures("offline")
def test_plain_functions_at_once_have_a_run_each_and_no_advice_for_tasks(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, _ = run_local(untracked)
    assert {f"{first}-2", first} == {second, first} or {f"{second}-2", second} == {first, second}
    assert {first, second} <= {log.id for log in logs(tmp_path)}
    assert [message for message in own_messages(caplog) if "@env.task" in message] == []


MEETING = threading.Barrier(2, timeout=60)


@wandb_init
@env.task
def meets() -> str:
    MEETING.wait()
    run_id = this_run().id
    MEETING.wait()
    return run_id


@pytest.mark.usefixtures("offline")
def test_two_local_runs_of_one_name_at_once_have_a_run_each(run_local: LocalRun, tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(run_local(meets))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2
    assert set(found) == set(by_id(tmp_path))


@pytest.mark.parametrize("name", ["exp/1", "x" * 130, "a?b"])
def test_a_run_of_flyte_whose_name_wandb_refuses_is_named_with_the_remedy(name: str) -> None:
    with pytest.raises(SettingError) as caught:
        plan(Request(run_name=name, action_name="a0"))
    assert f"the Flyte run {name!r}" in str(caught.value)
    assert "set id=" in str(caught.value)
    assert plan(Request(run_name=name, action_name="a0", settings=Settings(id="mine"))).run_id == "mine"


def test_an_id_of_the_users_that_a_name_makes_too_long_is_still_the_hooks() -> None:
    with pytest.raises(HookError):
        plan(Request(run_name="r1", action_name="a0", settings=Settings(id="x" * 129)))


def test_a_coroutine_that_nobody_awaits_in_asyncio_is_refused_and_leaves_no_run(offline: None, tmp_path: Path) -> None:
    coroutine: Any = helper(1)
    with pytest.raises(SettingError, match="'helper' is awaited outside of asyncio"):
        coroutine.send(None)
    assert by_id(tmp_path) == {}
    with wandb_config(id="next"):
        assert asyncio.run(helper(1)) == "next"
