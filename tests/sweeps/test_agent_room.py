"""The client that is set aside where W&B's agent may run, asked directly: who finds which client, and who waits."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb
from wandb.sdk import wandb_setup

from flyte_wandb import wandb_sweep
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._agent_room import _CLIENT_SWITCH, allow_agents, own_client, own_variable, use_own_client
from tests.remote import run_action
from tests.services import leftover_services, services

env = flyte.TaskEnvironment(name="rooms")
GRID: Any = {"method": "grid", "parameters": {"x": {"values": [1, 2, 3]}}}


def waits(thread: threading.Thread) -> bool:
    """Whether a thread comes to wait for the room to change, rather than to its end."""
    while thread.is_alive() and not _CLIENT_SWITCH._changed._waiters:  # type: ignore[attr-defined]
        time.sleep(0)
    return thread.is_alive()


def works(client: Any) -> bool:
    """Whether a client has not been ended."""
    return client._asyncer._thread.is_alive()  # type: ignore[no-any-return]


def started(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("offline")
def test_inside_is_this_packages_client_and_outside_the_agents() -> None:
    own = own_client()
    with allow_agents("s1", {}):
        agents = wandb_setup.singleton()
        assert agents is not own
        assert own_client() is own
        with use_own_client(), use_own_client():
            assert wandb_setup.singleton() is own
        assert wandb_setup.singleton() is agents
    assert wandb_setup.singleton() is own


@pytest.mark.usefixtures("offline")
def test_rooms_that_are_left_and_entered_while_a_run_is_being_opened() -> None:
    own = own_client()
    first = allow_agents("s1", {"WANDB_PROJECT": "first"})
    first.__enter__()
    agents = wandb_setup.singleton()
    with use_own_client():
        first.__exit__(None, None, None)
        assert wandb_setup.singleton() is own
        with allow_agents("s1", {"WANDB_PROJECT": "second"}):
            assert wandb_setup.singleton() is own
            assert os.environ["WANDB_PROJECT"] == "second"
        assert wandb_setup.singleton() is own
        second = allow_agents("s1", {})
        second.__enter__()
    assert wandb_setup._singleton is None
    second.__exit__(None, None, None)
    assert wandb_setup.singleton() is own
    assert not works(agents)
    assert own_client() is own
    wandb.init(reinit="create_new").finish()


@pytest.mark.usefixtures("offline")
def test_a_function_that_opens_its_run_itself_waits_for_its_agents_client() -> None:
    opened: list[wandb.Run] = []

    def objective() -> None:
        opened.append(wandb.init())

    with allow_agents("s1", {}):
        os.environ["WANDB_RUN_ID"] = "trial1"
        with use_own_client():
            thread = started(objective)
            assert waits(thread)
            inside = wandb.init(id="mine", reinit="create_new")
            inside.finish()
        thread.join(20)
        assert [run.id for run in opened] == ["trial1"]
        opened[0].finish()
    assert "WANDB_RUN_ID" not in os.environ


@pytest.mark.usefixtures("offline")
def test_an_agent_does_not_end_its_client_while_somebody_opens_a_run() -> None:
    with allow_agents("s1", {}):
        with use_own_client():
            own = wandb_setup.singleton()
            thread = started(wandb.teardown)
            assert waits(thread)
        thread.join(20)
        assert own_client() is own
        assert works(own)


def test_each_agent_looks_for_its_sweep_where_that_is(online: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the client of the agent before it would ask the server of that one."""
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    seen: list[tuple[str, ...]] = []

    def see() -> None:
        seen.append(tuple(os.environ.get(name, "") for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL")))

    grid = {"method": "grid", "parameters": {"x": {"values": [1, 2]}}}
    with WandbServer(teams=("team",)) as other:
        ours, unknown = (online.put_sweep(grid, project="vision") for _ in range(2))
        # The double counts its sweeps: the third has an id that the other server has not given.
        *_, theirs = (other.put_sweep(grid, project="text", entity="team") for _ in range(3))
        there = {"WANDB_PROJECT": "text", "WANDB_ENTITY": "team", "WANDB_BASE_URL": other.url}
        with allow_agents(ours, {"WANDB_PROJECT": "vision", "WANDB_BASE_URL": online.url}):
            agents = wandb_setup.singleton()
            with allow_agents(theirs, there):
                for sweep_id in (ours, f"team/text/{theirs}", ours, unknown):
                    wandb.agent(sweep_id, see, count=1)
                    assert own_variable("WANDB_PROJECT") is None
            assert not works(agents)
    here = ("vision", "", online.url)
    assert seen == [here, ("text", "team", other.url), here, here]
    assert "WANDB_PROJECT" not in os.environ


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("ended_by", ["the room", "an agent"])
def test_a_service_that_is_being_started_ends_with_its_client(ended_by: str, tmp_path: Path) -> None:
    """The thread of an agent's heartbeats may start it, and the agent does not wait for that thread."""
    with allow_agents("s1", {}):
        agents = wandb_setup.singleton()
        thread = started(agents.ensure_service)
        while thread.is_alive() and len(list(services(tmp_path))) < 2:  # ours, and the agent's
            time.sleep(0)
        if ended_by == "an agent":
            wandb.teardown()
    thread.join(20)
    assert not works(agents)
    wandb.teardown()
    assert leftover_services(tmp_path) == []


@pytest.mark.usefixtures("offline")
def test_a_client_that_has_ended_starts_no_service(tmp_path: Path) -> None:
    with allow_agents("s1", {}):
        agents = wandb_setup.singleton()
        wandb.teardown()
        agents.ensure_service()
        assert len(list(services(tmp_path))) == 1, "there is more than ours"


INSIDE, LEAVE, LEFT = asyncio.Event(), asyncio.Event(), asyncio.Event()


@wandb_sweep(**GRID)
@env.task
async def sweeps() -> None:
    INSIDE.set()
    await LEAVE.wait()
    LEFT.set()


@pytest.mark.usefixtures("online")
def test_the_event_loop_is_free_while_a_room_is_left(tmp_path: Path) -> None:
    held, release = threading.Event(), threading.Event()

    def hold() -> bool:
        with _CLIENT_SWITCH._changed:
            held.set()
            return release.wait(60)

    async def free() -> bool:
        task = asyncio.ensure_future(run_action(sweeps, folder=tmp_path))
        await INSIDE.wait()
        with ThreadPoolExecutor(1) as thread:
            released = thread.submit(hold)
            await asyncio.to_thread(held.wait)
            LEAVE.set()
            await LEFT.wait()
            release.set()
            await task
            return released.result()

    for event in (INSIDE, LEAVE, LEFT):
        event.clear()
    assert asyncio.run(free())
