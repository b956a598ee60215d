"""How one call of a task's function is ended from outside: by Stop in W&B's UI, or by SIGTERM."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from .._errors import RunStoppedError

PREEMPTED: Final = 128 + signal.SIGTERM
"""Exit code of a run, and of a process, whose task was ended by SIGTERM."""

_MARK_SECONDS: Final = 2.0
"""How long finishing a run waits for the thread that tells W&B of the preemption, where its service is silent."""


class PreemptedError(SystemExit):
    """Ends a function because SIGTERM has arrived. Without arguments: Python raises it in a thread by its type."""

    def __init__(self) -> None:
        super().__init__(PREEMPTED)


class Interruption:
    """What can end one call of a task's function from outside, and how far the call is.

    The sequence of Stop:

    1. W&B's client calls `stop` in a thread of its own.
    2. `RunStoppedError` is raised in the function's thread, or its coroutine is cancelled. A function that has not
       started does not start. One that is over is ended no more.
    3. `around_sync` or `around_async` raises the error.

    That of SIGTERM (`_sigterm`) is the same with `preempt`, except that a function of the main thread is ended by the
    signal's handler, with `raise_in_handler`.

    Attributes:
        preempted: Whether SIGTERM has arrived.
        over: Is set when the function has ended, however it did.
        closed: Is set when its run was let go of.
    """

    def __init__(self) -> None:
        self.preempted = False
        self.over = threading.Event()
        self.closed = threading.Event()
        self._lock = threading.Lock()  # the function ends by itself, or is ended, but not both at once
        self._closing = threading.Lock()  # see `close_once`
        self._marking = threading.Lock()  # see `mark_once`
        self._marked = False
        self._not_to_start = threading.Event()
        self._end: Callable[[type[BaseException]], bool] | None = None
        self._cause: type[BaseException] | None = None
        self._delivered = False

    def stop(self) -> None:
        """End the function, or do not let it start, because somebody has stopped its run. Callable from any thread."""
        self._end_because(RunStoppedError)

    def preempt(self) -> None:
        """End the function, or do not let it start, because of SIGTERM. Not callable from a handler of signals."""
        self._end_because(PreemptedError)

    def raise_in_handler(self) -> None:
        """Do what `preempt` does, in the handler of a signal: takes no lock, which this thread may hold already.

        Raises:
            PreemptedError: The function runs in this thread, the main one.
        """
        if self._end is _raise_in_main and not self._delivered and self._cause is not RunStoppedError:
            self._cause, self._delivered = PreemptedError, True
            raise PreemptedError
        if self._end is None and self._cause is None and not self.over.is_set():
            self._cause = PreemptedError

    def wait_to_start(self, seconds: float) -> None:
        """Wait before the function starts, and no longer than until it is not to start any more.

        Raises:
            PreemptedError: SIGTERM has arrived.
            CancelledError: `give_up` was called.
        """
        if self._not_to_start.wait(seconds):
            self.over.set()
            raise self._cause or asyncio.CancelledError

    def give_up(self) -> None:
        """End `wait_to_start`: the task was cancelled meanwhile. Callable from any thread."""
        self._not_to_start.set()

    def mark_once(self, mark: Callable[[], None]) -> None:
        """Have W&B told of the preemption by whichever thread comes first; the others wait for it, for a moment."""
        if not self._marking.acquire(timeout=_MARK_SECONDS):
            return
        try:
            marked, self._marked = self._marked, True
            if not marked:
                mark()
        finally:
            self._marking.release()

    def close_once(self, close: Callable[[], None]) -> None:
        """Let go of the run in whichever thread comes first; the others wait for it."""
        with self._closing:
            if not self.closed.is_set():
                try:
                    close()
                finally:
                    self.closed.set()

    @contextmanager
    def around_sync(self) -> Iterator[None]:
        """Let the function in this thread be ended.

        Raises:
            RunStoppedError: The run was stopped.
            PreemptedError: SIGTERM has arrived.
        """
        thread = threading.current_thread()
        end = _raise_in_main if thread is threading.main_thread() else partial(_raise_in, thread.ident)
        try:
            with self._armed(end):
                yield
        finally:
            if self._cause:  # it may be pending, and would hit the code behind the function
                _raise_in(thread.ident, None)
        if self._cause is RunStoppedError:
            raise RunStoppedError

    @contextmanager
    def around_async(self) -> Iterator[None]:
        """Let the function in this task of the event loop be ended.

        Raises:
            RunStoppedError: The run was stopped.
            PreemptedError: SIGTERM has arrived.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            if self._end:  # else the function has ended by itself meanwhile
                task.cancel()

        def end(cause: type[BaseException]) -> bool:
            loop.call_soon_threadsafe(cancel)
            return True

        try:
            with self._armed(end):
                yield
        except asyncio.CancelledError as error:
            if self._cause:
                raise self._cause from error
            raise

    def _end_because(self, cause: type[BaseException]) -> None:
        with self._lock:
            self._cause = self._cause or cause
            self._not_to_start.set()
            if self._cause is cause and self._end and not self._delivered:
                self._delivered = self._end(cause)

    @contextmanager
    def _armed(self, end: Callable[[type[BaseException]], bool]) -> Iterator[None]:
        try:
            with self._lock:
                if self._cause:
                    raise self._cause
                self._end = end
            yield
        finally:
            self._end = None
            self.over.set()
            with self._lock:  # whoever is ending the function has done so, and what it raised can be taken back
                pass


def _raise_in_main(cause: type[BaseException]) -> bool:
    """Raise an exception in the main thread, but for SIGTERM: its handler runs there, and wakes up a sleep, too."""
    return cause is not PreemptedError and _raise_in(threading.main_thread().ident, cause)


def _raise_in(thread: int | None, kind: type[BaseException] | None) -> bool:
    """Raise an exception in another thread as soon as it runs Python code, or with None take a pending one back.

    W&B's own agent ends its trials so.
    """
    error = ctypes.py_object(kind) if kind else None
    # CPython's one way to end Python code in another thread. It returns how many threads it has reached.
    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread or 0), error))
