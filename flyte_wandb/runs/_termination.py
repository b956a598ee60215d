"""How one call of a task's function is ended from outside: by Stop in W&B's UI, or by SIGTERM."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

from .._errors import RunStoppedError
from .._light import Latch

PREEMPTED: Final = 128 + signal.SIGTERM
"""Exit code of a run, and of a process, after SIGTERM has ended its task."""

_MARK_SECONDS: Final = 2.0
"""How long finishing a run waits for the thread that marks it preempted, if W&B's service does not respond."""


def exit_code(error: BaseException | None) -> int:
    """Return the exit code that W&B gets: 0 for a result, the code of a SystemExit, 1 for any other exception.

    >>> exit_code(None), exit_code(ValueError()), exit_code(SystemExit(3)), exit_code(SystemExit("bad"))
    (0, 1, 3, 1)
    """
    if isinstance(error, SystemExit):
        # As Python exits: 0 for None, and 1 for a text, which it prints.
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 1


class PreemptedError(SystemExit):
    """Ends a function because SIGTERM has arrived. Without arguments: Python raises it in a thread by its type."""

    def __init__(self) -> None:
        super().__init__(PREEMPTED)


class Interruption:
    """What can end one call of a task's function from outside, and how far the call is.

    The sequence of Stop:

    1. W&B's client calls `stop` in its own thread.
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
        self.over = Latch()
        self.closed = Latch()
        self._lock = threading.Lock()  # the function ends by itself, or is ended, but not both at once
        self._closing = threading.Lock()  # see `close_once`
        self._marking = threading.Lock()  # see `mark_once`
        self._marked = False
        self._not_to_start = Latch()
        self._end: Callable[[type[BaseException]], bool] | None = None
        self._cause: type[BaseException] | None = None
        self._delivered = False

    def stop(self) -> None:
        """End the function, or do not let it start, because its run was stopped. Callable from any thread."""
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

    def around_sync(self) -> AbstractContextManager[None]:
        """Let the function in this thread be ended.

        Raises:
            RunStoppedError: The run was stopped.
            PreemptedError: SIGTERM has arrived.
        """
        return _AroundSync(self)

    def around_async(self) -> AbstractContextManager[None]:
        """Let the function in this task of the event loop be ended.

        Raises:
            RunStoppedError: The run was stopped.
            PreemptedError: SIGTERM has arrived.
        """
        return _AroundAsync(self)

    def _end_because(self, cause: type[BaseException]) -> None:
        with self._lock:
            self._cause = self._cause or cause
            self._not_to_start.set()
            if self._cause is cause and self._end and not self._delivered:
                self._delivered = self._end(cause)

    def arm(self, end: Callable[[type[BaseException]], bool]) -> None:
        """Have `end` called to end the function, from now on. `disarm` has to follow, also where this raises."""
        with self._lock:
            if self._cause:
                raise self._cause
            self._end = end

    def disarm(self) -> type[BaseException] | None:
        """Have the function be over, and return why it was to end, or None."""
        self._end = None
        self.over.set()
        with self._lock:  # whoever is ending the function has done so, and what it raised can be taken back
            return self._cause

    @property
    def is_ending(self) -> bool:
        """Whether SIGTERM or W&B's Stop ends the function."""
        return self._cause is not None

    def cancel_task(self, task: asyncio.Task[Any]) -> None:
        """Cancel the task of a function, unless it has ended by itself meanwhile."""
        if self._end:
            task.cancel()


# No generators under `contextmanager`: every task enters one of these, and an error that is raised in this thread while
# the context is entered would leave a generator half-way, to whenever Python finds it.
class _AroundSync(AbstractContextManager[None]):
    """The function in this thread can be ended, by an error that is raised in the thread."""

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption
        self._thread = threading.current_thread()

    def __enter__(self) -> None:
        thread = self._thread
        end = _raise_in_main if thread is threading.main_thread() else partial(_raise_in, thread.ident)
        try:
            self._interruption.arm(end)
        except BaseException:
            self._leave()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._leave() is RunStoppedError and kind is None:
            raise RunStoppedError

    def _leave(self) -> type[BaseException] | None:
        try:
            return self._interruption.disarm()
        finally:
            if self._interruption.is_ending:  # its error may be pending, and would hit the code behind the function
                _raise_in(self._thread.ident, None)


class _AroundAsync(AbstractContextManager[None]):
    """The function in this task of the event loop can be ended, by cancelling the task."""

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def __enter__(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(cause: type[BaseException]) -> bool:
            loop.call_soon_threadsafe(self._interruption.cancel_task, task)
            return True

        try:
            self._interruption.arm(end)
        except BaseException:
            self._interruption.disarm()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        cause = self._interruption.disarm()
        if cause and isinstance(error, asyncio.CancelledError):
            raise cause from error


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
