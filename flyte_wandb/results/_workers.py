"""Threads for blocking requests: a bounded number, which a stop ends."""

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
_POLL_SECONDS: Final = 0.1
"""How often `results` looks whether the download was stopped: a wait for futures cannot be woken up otherwise."""

_GRACE_SECONDS: Final = 0.5
"""How long a stopped download waits for its threads. One that still waits for a server writes nothing afterwards."""


class StoppedError(Exception):
    """The download was stopped. The code that stopped it knows why."""


class Stop:
    """Ends the threads of one download. Every wait and every loop of theirs checks it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Stop the download."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether the download is stopped."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise if the download is stopped.

        Raises:
            StoppedError: It is.
        """
        if self.is_set:
            raise StoppedError

    def wait(self, seconds: float) -> None:
        """Sleep, and wake up at once if the download is stopped.

        Raises:
            StoppedError: It is.
        """
        self._event.wait(seconds)
        self.check()


class Workers:
    """Threads that make the calls that are submitted, in their order.

    They are daemons, so that a silent server cannot keep the process alive. Those of a `ThreadPoolExecutor` are not:
    Python waits for them when it ends (3.9 and newer).

    Args:
        most: Threads at most.
        stop: Ends them.
    """

    def __init__(self, most: int, stop: Stop) -> None:
        self._most, self._stop = most, stop
        # None ends the thread that takes it.
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        # Calls are submitted by several threads, which must not start more than `most`.
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _ in self._threads:
            self._calls.put(None)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Put a call into the queue, and return the future of its result."""
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
        pending = set(futures)
        while pending and not self._stop.is_set:
            pending = wait(pending, timeout=_POLL_SECONDS).not_done
        if self._stop.is_set:
            wait(pending, timeout=_GRACE_SECONDS)
            raise StoppedError
        return [_outcome_of(future) for future in futures]

    def _run_calls(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                self._stop.check()
                future.set_result(call())
            except BaseException as error:  # all of them: a future without a result is waited for without end
                future.set_exception(error)


def _outcome_of(future: Future[Any]) -> Any:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Exception):
        return error
    # Such as KeyboardInterrupt, which is no outcome of this call.
    raise error


async def run_in_thread(call: Callable[[Stop], None]) -> None:
    """Make a call in a separate thread, and stop it if this coroutine is cancelled."""
    # A thread of its own, because the loop's default pool is the user's: downloads would hold its threads for minutes.
    stop, thread = Stop(), ThreadPoolExecutor(1, thread_name_prefix="flyte-wandb-download")
    ended = asyncio.get_running_loop().run_in_executor(thread, call, stop)
    thread.shutdown(wait=False)
    try:
        # Without the shield, cancelling would cancel the future and leave the thread running unseen.
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.gather(ended, return_exceptions=True)
        raise


def warn_if_on_event_loop(name: str, instead: str) -> None:
    """Log a warning, once, if a blocking function is called on an event loop.

    Args:
        name: The function.
        instead: The function to await in its place.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    log_once(
        f"{name} blocks the event loop on which it was called; use `await {instead}(...)`, or "
        f"`await asyncio.to_thread({name}, ...)`"
    )
