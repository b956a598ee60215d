"""Several actions of mode "remote" in one process, as in a reusable container, and a server that gives trouble."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import OpenRunError, get_wandb_run, wandb_config, wandb_init
from flyte_wandb.testing import WandbServer
from tests.current import this_run
from tests.messages import own_messages
from tests.remote import run_action

env = flyte.TaskEnvironment(name="one_process")
pytestmark = pytest.mark.usefixtures("online")


@wandb_init
@env.task
async def child(x: int) -> str:
    this_run().log({"child": x})
    return this_run().id


@wandb_init
@env.task
async def action(x: int) -> list[str]:
    run = this_run()
    run.log({"x": x})
    HERE.append(run.id)
    await BOTH.wait() if len(HERE) < 2 else BOTH.set()
    assert wandb.run is None
    return [run.id, await child(x), this_run().id]


HERE: list[str] = []
BOTH = asyncio.Event()


def test_two_actions_with_children_never_see_each_others_run(server: WandbServer, tmp_path: Path) -> None:
    async def both() -> tuple[Any, ...]:
        HERE.clear()
        BOTH.clear()
        actions = (run_action(action, x=x, folder=tmp_path, name=f"a{x}") for x in (1, 2))
        return tuple(await asyncio.gather(*actions))

    assert asyncio.run(both()) == (["r1-a1"] * 3, ["r1-a2"] * 3)
    for x in (1, 2):
        record = server.run(f"r1-a{x}")
        assert (record.state, record.logged("x"), record.logged("child")) == ("finished", [x], [x])
        assert len(record.writers) == 1


@wandb_init
@env.task
async def simple(x: int) -> str:
    this_run().log({"x": x})
    return this_run().id


def test_one_after_the_other_leaves_nothing_behind(server: WandbServer, tmp_path: Path) -> None:
    async def twice() -> list[str]:
        first = await run_action(simple, x=1, folder=tmp_path, name="a1", context=wandb_config(project="first"))
        assert wandb.run is None
        assert get_wandb_run() is None
        return [first, await run_action(simple, x=2, folder=tmp_path, name="a2")]

    assert asyncio.run(twice()) == ["r1-a1", "r1-a2"]
    assert [record.project for record in server.runs] == ["first", "uncategorized"]


def test_a_task_that_is_cancelled_while_its_run_is_being_opened_leaves_a_failed_run(
    server: WandbServer, tmp_path: Path
) -> None:
    async def cancelled() -> None:
        task = asyncio.ensure_future(run_action(simple, x=1, folder=tmp_path))
        with server.paused():
            await asyncio.to_thread(server.wait_for, lambda server: server.held)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(cancelled())
    (record,) = server.runs
    assert (record.state, record.exit_code, record.history) == ("failed", 1, ())
    assert wandb.run is None
    assert asyncio.run(run_action(simple, x=2, folder=tmp_path)) == "r1-a0"
    assert server.run("r1-a0").state == "finished"


def test_a_task_that_is_cancelled_while_the_server_is_silent_does_not_wait_for_it(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "600")

    async def cancelled() -> None:
        task = asyncio.ensure_future(run_action(simple, x=1, folder=tmp_path))
        with server.paused():
            await asyncio.to_thread(server.wait_for, lambda server: server.held)
            task.cancel()
            await asyncio.wait([task], timeout=120)
            assert task.cancelled()

    asyncio.run(cancelled())
    assert asyncio.run(run_action(simple, x=2, folder=tmp_path)) == "r1-a0"
    assert server.run("r1-a0").state == "finished"


def test_a_task_that_is_cancelled_while_it_waits_for_its_turn_opens_no_run(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    second = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    for name, value in second.items():
        monkeypatch.setenv(name, value)
    context = wandb_config(run_mode="new", run_creations_per_second=0.001)

    async def cancelled() -> None:
        task = asyncio.ensure_future(run_action(simple, x=1, folder=tmp_path, context=context))
        while not caplog.records:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=120)
        assert task.cancelled()

    asyncio.run(cancelled())
    assert own_messages(caplog) == [
        "rank 1 opens its run in 1111 s: the ranks take turns, 0.001 a second (run_creations_per_second)"
    ]
    assert server.runs == ()


RAN: list[int] = []


@wandb_init
@env.task
def counts(x: int) -> int:
    RAN.append(x)
    return x


def test_a_server_that_refuses_stops_the_task_before_its_body(server: WandbServer, tmp_path: Path) -> None:
    RAN.clear()
    server.refuse("the project is over its quota")
    with pytest.raises(OpenRunError, match="the project is over its quota") as refused:
        asyncio.run(run_action(counts, x=1, folder=tmp_path, context=wandb_config(project="vision")))
    assert f"W&B did not open the run 'r1-a0' (project 'vision') at {server.url}" in str(refused.value)
    assert RAN == []
    assert server.runs == ()


def test_the_id_of_a_run_that_was_refused_is_free_again(server: WandbServer, tmp_path: Path) -> None:
    RAN.clear()
    server.refuse("not now")
    with pytest.raises(OpenRunError, match="not now"):
        asyncio.run(run_action(counts, x=1, folder=tmp_path))
    server.accept()
    assert asyncio.run(run_action(counts, x=2, folder=tmp_path)) == 2
    assert RAN == [2]
    assert server.run("r1-a0").state == "finished"


def test_each_task_writes_to_the_server_of_its_own_host(server: WandbServer, tmp_path: Path) -> None:
    async def three() -> tuple[Any, ...]:
        own = wandb_config(host=other.url, project="elsewhere")
        contexts = {1: None, 2: own, 3: None}
        actions = (run_action(simple, x=x, folder=tmp_path, name=f"a{x}", context=contexts[x]) for x in contexts)
        return tuple(await asyncio.gather(*actions))

    with WandbServer() as other:
        assert asyncio.run(three()) == ("r1-a1", "r1-a2", "r1-a3")
        assert {record.id for record in server.runs} == {"r1-a1", "r1-a3"}
        (record,) = other.runs
        assert (record.id, record.project, record.logged("x")) == ("r1-a2", "elsewhere", [2])
        (link,) = simple.links
        context = dict(wandb_config(host=other.url, project="elsewhere", entity="local"))
        assert link.get_link("r1", "", "", context, "", "a2", "") == record.url
    assert wandb.setup().settings.base_url == server.url


def test_a_run_that_the_user_has_open_under_that_id_is_neither_taken_nor_ended(
    server: WandbServer, tmp_path: Path
) -> None:
    with wandb.init(id="r1-a0", reinit="create_new") as mine:
        with pytest.raises(OpenRunError, match="in use"):
            asyncio.run(run_action(simple, x=1, folder=tmp_path))
        mine.log({"mine": 1})
    record = server.run("r1-a0")
    assert (record.state, record.logged("mine"), record.logged("x")) == ("finished", [1], [])


def test_a_run_of_a_plain_function_is_told_its_outcome(server: WandbServer) -> None:
    @wandb_init(project="scripts", id="script")
    def script() -> None:
        this_run().log({"x": 1})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        script()
    record = server.run("script")
    assert (record.project, record.state, record.logged("x")) == ("scripts", "failed", [1])
    assert [writer.shared for writer in record.writers] == [False]


def test_a_plain_function_that_is_refused_says_so(server: WandbServer) -> None:
    server.refuse("not now")

    @wandb_init(id="script")
    def script() -> None:
        raise AssertionError("the body ran")

    with pytest.raises(OpenRunError, match="not now"):
        script()
