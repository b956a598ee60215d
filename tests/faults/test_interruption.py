"""Ends from outside, in this process: the signal's handler, Stop, and what comes too late."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from flyte_wandb import RunStoppedError
from flyte_wandb.runs._sigterm import SIGTERM_HANDLER, WatchedCall
from flyte_wandb.runs._termination import PREEMPTED, Interruption


def preemptible(interruption: Interruption, notified: Callable[[], None]) -> AbstractContextManager[WatchedCall]:
    """Watch a call whose run tells W&B of SIGTERM by `notified`."""
    return SIGTERM_HANDLER.watching(WatchedCall(interruption=interruption, grace=60.0, mark=notified))


def term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def handler() -> Iterator[Any]:
    """The handler of before, which has to be back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    yield before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture
def notified() -> threading.Event:
    """Is set when W&B is notified."""
    return threading.Event()


def test_sigterm_ends_a_function_of_the_main_thread_with_143(notified: threading.Event) -> None:
    interruption = Interruption()
    with pytest.raises(SystemExit) as ended, preemptible(interruption, notified.set), interruption.around_sync():
        term()
    assert ended.value.code == PREEMPTED == 143
    assert interruption.preempted
    assert notified.wait(60)


def test_a_function_that_waits_to_be_started_is_ended_by_sigterm_and_by_giving_up(notified: threading.Event) -> None:
    interruption = Interruption()
    with preemptible(interruption, notified.set):
        term()
        with pytest.raises(SystemExit) as ended:
            interruption.wait_to_start(600)
    assert ended.value.code == PREEMPTED
    assert interruption.over.is_set()
    interruption = Interruption()
    interruption.wait_to_start(0.01)
    assert not interruption.over.is_set()
    interruption.give_up()
    with pytest.raises(asyncio.CancelledError):
        interruption.wait_to_start(600)


def test_sigterm_cancels_every_coroutine_of_the_loop(notified: threading.Event) -> None:
    both = [Interruption(), Interruption()]

    async def never(interruption: Interruption) -> None:
        with preemptible(interruption, notified.set), interruption.around_async():
            await asyncio.Event().wait()

    async def main() -> None:
        running = asyncio.gather(*map(never, both))
        await asyncio.sleep(0)
        term()
        await running

    with pytest.raises(SystemExit) as ended:
        asyncio.run(main())
    assert ended.value.code == PREEMPTED
    assert [one.preempted for one in both] == [True, True]


def test_a_second_sigterm_does_not_disturb_the_clean_up(notified: threading.Event) -> None:
    interruption, cleaned_up = Interruption(), []

    def work() -> None:
        try:
            term()
        finally:
            term()
            cleaned_up.append(True)

    with pytest.raises(SystemExit), preemptible(interruption, notified.set), interruption.around_sync():
        work()
    assert cleaned_up == [True]


def test_sigterm_before_the_function_has_started_does_not_let_it_start(notified: threading.Event) -> None:
    interruption = Interruption()
    with preemptible(interruption, notified.set):
        term()
        with pytest.raises(SystemExit), interruption.around_sync():
            raise AssertionError("it has started")
    assert interruption.over.is_set()


def test_sigterm_ends_a_function_in_a_thread_that_an_event_loop_waits_for(notified: threading.Event) -> None:
    interruption, inside = Interruption(), threading.Event()

    def work() -> None:
        with preemptible(interruption, notified.set), interruption.around_sync():
            inside.set()
            while not threading.Event().wait(0.01):
                pass

    async def main() -> None:
        working = asyncio.create_task(asyncio.to_thread(work))
        while not (inside.is_set() and signal.getsignal(signal.SIGTERM) == SIGTERM_HANDLER._on_term):
            await asyncio.sleep(0)
        term()
        await working

    with pytest.raises(SystemExit) as ended:
        asyncio.run(main())
    assert ended.value.code == PREEMPTED


def test_a_wakeup_descriptor_of_somebody_else_stays(notified: threading.Event) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write)
    try:
        with preemptible(Interruption(), notified.set):
            pass
        assert signal.set_wakeup_fd(before) == write
    finally:
        os.close(read)
        os.close(write)


def test_our_wakeup_descriptor_goes_with_the_handler(notified: threading.Event) -> None:
    with preemptible(Interruption(), notified.set):
        pass
    assert signal.set_wakeup_fd(-1) == -1


def test_sigterm_ends_nothing_once_the_function_is_over(notified: threading.Event) -> None:
    interruption = Interruption()

    async def main() -> str:
        with preemptible(interruption, notified.set):
            with interruption.around_async():
                term()  # the body does not wait any more, so the loop cannot cancel it
            await asyncio.sleep(0)
            return "result"

    assert asyncio.run(main()) == "result"
    assert interruption.preempted


def test_stop_ends_nothing_once_the_function_is_over() -> None:
    interruption = Interruption()

    async def main() -> str:
        with interruption.around_async():
            interruption.stop()
        await asyncio.sleep(0)
        return "result"

    assert asyncio.run(main()) == "result"


def test_a_handler_of_somebody_else_is_called_in_place_of_ending_the_function(notified: threading.Event) -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        interruption = Interruption()
        with preemptible(interruption, notified.set), interruption.around_sync():
            term()
            assert notified.wait(60)  # a function that has ended by then has its run marked when it is finished
        assert (called, interruption.preempted) == ([signal.SIGTERM], True)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_who_ignores_sigterm_goes_on_to_do_so(notified: threading.Event) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        interruption = Interruption()
        with preemptible(interruption, notified.set), interruption.around_sync():
            term()
        assert (interruption.preempted, notified.is_set()) == (False, False)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_thread_cannot_handle_signals_and_leaves_them_alone(notified: threading.Event) -> None:
    seen: list[Any] = []

    def work() -> None:
        with preemptible(Interruption(), notified.set):
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_stop_ends_a_function_in_a_thread() -> None:
    interruption, errors, inside = Interruption(), [], threading.Event()

    def work() -> None:
        try:
            with interruption.around_sync():
                inside.set()
                while not threading.Event().wait(0.01):
                    pass
        except RunStoppedError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(60)
    interruption.stop()
    thread.join(10)
    assert errors == ["the run was stopped in W&B's UI"]


def test_stop_ends_a_coroutine_from_another_thread() -> None:
    interruption = Interruption()

    async def main() -> None:
        with interruption.around_async():
            await asyncio.to_thread(interruption.stop)
            await asyncio.Event().wait()

    with pytest.raises(RunStoppedError):
        asyncio.run(main())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_function_whose_run_was_stopped_before_does_not_start(kind: str) -> None:
    interruption = Interruption()
    interruption.stop()

    async def main() -> None:
        with interruption.around_sync() if kind == "sync" else interruption.around_async():
            raise AssertionError("it has started")

    with pytest.raises(RunStoppedError):
        asyncio.run(main())
