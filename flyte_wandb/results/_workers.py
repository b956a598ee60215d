"""Threads for blocking requests, so many at a time and no more, that end when they are told to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, TypeVar

from .._logging import log_once

T = TypeVar("T")
_LOOK: Final = 0.1
"""Seconds between two looks whether a download was stopped."""

_GRACE: Final = 0.5
"""Seconds that a stopped download gives its threads; one that still waits for a server writes nothing afterwards."""


class StoppedError(Exception):
    """The download was stopped; whoever stopped it knows why."""


class Stop:
    """Tells the threads of one download to end."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Have them end."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether they are to end."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise where they are to end.

        Raises:
            StoppedError: They are.
        """
        if self.is_set:
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Sleep, and wake up to raise where they are to end.

        Raises:
            StoppedError: They are.
        """
        self._event.wait(seconds)
        self.check()


class Workers:
    """Threads that do what they are given, in its order. They are daemons: a silent server cannot keep a process alive.

    Args:
        most: Threads at most.
        stop: Ends them.
    """

    def __init__(self, most: int, stop: Stop) -> None:
        self._most, self._stop = most, stop
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _ in self._threads:
            self._calls.put(None)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have a thread make this call."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        with self._lock:
            if len(self._threads) < self._most:
                self._threads.append(threading.Thread(target=self._run_calls, daemon=True, name="flyte-wandb-download"))
                self._threads[-1].start()
        return future

    def results(self, futures: Collection[Future[Any]]) -> list[Any]:
        """Wait for all of these calls, and return what each returned or raised, in their order.

        Raises:
            StoppedError: The download was stopped meanwhile.
        """
        left = set(futures)
        while left and not self._stop.is_set:
            left = wait(left, timeout=_LOOK).not_done
        if self._stop.is_set:
            wait(left, timeout=_GRACE)
            raise StoppedError
        return [_result_or_error(future) for future in futures]

    def _run_calls(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                self._stop.check()
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)


def _result_or_error(future: Future[Any]) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Exception):
        return error
    raise error


async def run_in_thread(call: Callable[[Stop], None]) -> None:
    """Make a call in a thread of its own, and stop it where this coroutine is cancelled."""
    stop, thread = Stop(), ThreadPoolExecutor(1, thread_name_prefix="flyte-wandb-download")
    ended = asyncio.get_running_loop().run_in_executor(thread, call, stop)
    thread.shutdown(wait=False)
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.gather(ended, return_exceptions=True)
        raise


def warn_if_on_event_loop(name: str, instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    log_once(
        f"{name} blocks the event loop on which it was called; use `await {instead}(...)`, or "
        f"`await asyncio.to_thread({name}, ...)`"
    )
