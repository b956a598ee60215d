"""Whose run code finds in a thread that has copied no context: that of the task which has started the thread."""

from __future__ import annotations

import _thread
import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import flyte
import pytest

from flyte_wandb import get_wandb_run, wandb_init
from flyte_wandb.runs._current import current_call
from tests.conftest import LocalRun
from tests.offline import by_id
from tests.remote import run_action

env = flyte.TaskEnvironment(name="threads")
pytestmark = pytest.mark.usefixtures("offline")
WARNING: Final = "get_wandb_run() was called in a thread that no tracked task started"


def run_id() -> str | None:
    run = get_wandb_run()
    return run.id if run else None


def in_a_thread() -> str | None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(run_id()))
    thread.start()
    thread.join()
    return found[0]


def in_a_thread_of_a_thread() -> str | None:
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(in_a_thread()))
    thread.start()
    thread.join()
    return found[0]


def in_a_timer() -> str | None:
    found: list[str | None] = []
    timer = threading.Timer(0, lambda: found.append(run_id()))
    timer.start()
    timer.join()
    return found[0]


def in_a_pool() -> str | None:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run_id).result()


def in_a_native_thread() -> str | None:
    found: list[str | None] = []
    done = threading.Event()

    def look() -> None:
        found.append(run_id())
        done.set()

    _thread.start_new_thread(look, ())
    done.wait()
    return found[0]


WAYS: Final[dict[str, Callable[[], str | None]]] = {
    way.__name__: way for way in (in_a_thread, in_a_thread_of_a_thread, in_a_timer, in_a_pool)
}


@env.task
async def untracked(way: str) -> str | None:
    return WAYS[way]()


@env.task
def untracked_sync(way: str) -> str | None:
    return WAYS[way]()


@wandb_init
@env.task
async def calls_untracked(way: str) -> list[str | None]:
    return [await untracked(way), await untracked_sync.aio(way), WAYS[way]()]


@pytest.mark.parametrize("way", WAYS)
def test_an_untracked_task_below_a_tracked_one_finds_no_run(
    way: str, run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    *untracked_ids, own = run_local(calls_untracked, way)
    assert untracked_ids == [None, None]
    assert own in by_id(tmp_path)
    assert len([message for message in caplog.messages if message.startswith(WARNING)]) == 1


@wandb_init
@env.task
async def waits(way: str) -> str | None:
    INSIDE.set()
    await asyncio.to_thread(LOOKED.wait)
    return WAYS[way]()


INSIDE = threading.Event()
LOOKED = threading.Event()


@env.task
async def looks_beside(way: str) -> list[str | None]:
    child = asyncio.create_task(waits(way))
    await asyncio.to_thread(INSIDE.wait)
    found = WAYS[way]()
    LOOKED.set()
    return [found, await child]


@pytest.mark.parametrize("way", WAYS)
def test_an_untracked_task_above_a_tracked_one_finds_no_run(way: str, run_local: LocalRun, tmp_path: Path) -> None:
    INSIDE.clear()
    LOOKED.clear()
    outer, inner = run_local(looks_beside, way)
    assert (outer, inner) == (None, *by_id(tmp_path))


@wandb_init(run_mode="new")
@env.task
async def below(way: str) -> list[str | None]:
    return [run_id(), WAYS[way]()]


@wandb_init
@env.task
async def above(way: str) -> list[str | None]:
    return [*await below(way), run_id(), WAYS[way]()]


@pytest.mark.parametrize("way", WAYS)
def test_of_several_open_runs_a_thread_finds_that_of_the_task_that_has_started_it(
    way: str, run_local: LocalRun
) -> None:
    lower, in_lower, upper, in_upper = run_local(above, way)
    assert lower != upper
    assert (in_lower, in_upper) == (lower, upper)


@wandb_init
@env.task
def leaves_a_thread() -> str | None:
    LEFT.append(threading.Thread(target=outlives))
    LEFT[0].start()
    CALLS.append(weakref.ref(current_call()))
    return run_id()


def outlives() -> None:
    OVER.wait()
    FOUND.append(run_id())


@wandb_init
def another() -> str | None:
    OVER.set()
    LEFT[0].join()
    return run_id()


LEFT: list[threading.Thread] = []
OVER = threading.Event()
FOUND: list[str | None] = []
CALLS: list[weakref.ref[object]] = []


def test_a_thread_that_outlives_its_task_finds_no_run_and_keeps_none_alive(run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(leaves_a_thread) is not None
    assert CALLS[0]() is None
    assert another() in by_id(tmp_path)
    assert FOUND == [None]


@wandb_init
@env.task
async def looks_from_a_native_thread() -> list[str | None]:
    return [run_id(), in_a_native_thread()]


def test_a_thread_of_native_code_finds_the_only_run_of_a_container(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, found = run_local(looks_from_a_native_thread)
    assert (found, [message[: len(WARNING)] for message in caplog.messages if WARNING in message]) == (None, [WARNING])
    own, found = asyncio.run(run_action(looks_from_a_native_thread, folder=tmp_path))
    assert own is not None
    assert found == own


@wandb_init
def helper() -> str | None:
    return run_id()


@env.task
async def untracked_helper() -> str | None:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(helper).result()


@wandb_init
@env.task
async def calls_an_untracked_helper() -> list[str | None]:
    return [run_id(), await untracked_helper()]


def test_a_decorated_helper_in_a_thread_of_an_untracked_task_has_a_run_of_its_own(
    run_local: LocalRun, tmp_path: Path
) -> None:
    own, of_helper = run_local(calls_an_untracked_helper)
    assert own != of_helper
    assert {own, of_helper} == set(by_id(tmp_path))
