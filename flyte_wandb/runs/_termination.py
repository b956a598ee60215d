"""Ends that come from outside while a task's function runs: SIGTERM, and Stop in W&B's UI."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from .._errors import RunStoppedError

PREEMPTED: Final = 128 + signal.SIGTERM
"""Exit code of a run whose task was told to end by SIGTERM."""


class Interruption:
    """What can end one call of a task's function from outside, and whether it did.

    Attributes:
        preempted: Whether SIGTERM has arrived.
    """

    def __init__(self) -> None:
        self.preempted = False
        self._lock = threading.Lock()
        self._stop: Callable[[], object] | None = None
        self._exit: Callable[[], object] | None = None
        self._stopped = False

    def __deepcopy__(self, memo: object) -> Interruption:
        """Return this very one: W&B copies a run's settings, and with them its `stop`, whenever they are read."""
        return self

    def stop(self) -> None:
        """End the function, or do not let it start, because somebody has stopped its run. Callable from any thread."""
        with self._lock:
            self._stopped = True
            if self._stop:
                self._stop()

    def exit(self) -> None:
        """End the function because SIGTERM has arrived. Called in the main thread, between two of its steps."""
        if self._exit:
            self._exit()

    @contextmanager
    def around_sync(self) -> Iterator[None]:
        """Let the function in this thread be ended.

        Raises:
            RunStoppedError: The run was stopped.
            SystemExit: SIGTERM has arrived.
        """
        thread = threading.get_ident()
        try:
            with self._armed(stop=lambda: _raise_in(thread, RunStoppedError), exit=_exit_preempted):
                yield
        finally:
            if self._stopped:
                _raise_in(thread, None)
        if self._stopped:
            raise RunStoppedError

    @contextmanager
    def around_async(self) -> Iterator[None]:
        """Let the function in this task of the event loop be ended.

        Raises:
            RunStoppedError: The run was stopped.
            asyncio.CancelledError: SIGTERM has arrived.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end() -> None:
            if self._exit:  # else the function has ended by itself meanwhile
                task.cancel()

        def cancel() -> None:
            loop.call_soon_threadsafe(end)

        try:
            with self._armed(stop=cancel, exit=cancel):
                yield
        except asyncio.CancelledError as error:
            if self._stopped:
                raise RunStoppedError from error
            raise

    @contextmanager
    def _armed(self, *, stop: Callable[[], object], exit: Callable[[], object]) -> Iterator[None]:
        with self._lock:
            if self._stopped:
                raise RunStoppedError
            self._stop, self._exit = stop, exit
        try:
            yield
        finally:
            self._exit = None
            with self._lock:
                self._stop = None


class SigtermHandler:
    """Handles SIGTERM while functions are watched: those of one event loop, or one of the main thread itself."""

    def __init__(self) -> None:
        self._watched: dict[Interruption, Callable[[], None]] = {}
        self._before: Any = None
        self._forking = threading.local()

    @contextmanager
    def watched(self, interruption: Interruption, tell: Callable[[], None]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread() or not self._handles():
            yield
            return
        self._watched[interruption] = tell
        try:
            yield
        finally:
            del self._watched[interruption]
            if not self._watched:
                self._give_back()

    def before_fork(self) -> None:
        """Hold SIGTERM back: a child that it reached before `in_child` would take it for its parent's, and lose it."""
        self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def in_parent(self) -> None:
        """Let through what was held back."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forking.mask)

    def in_child(self) -> None:
        """Watch nothing any more, with the handler of before: a forked child is nobody's task."""
        self._watched.clear()
        self._give_back()
        self.in_parent()

    def _give_back(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self._on_term:
            signal.signal(signal.SIGTERM, self._before)

    def _handles(self) -> bool:
        """Take SIGTERM over, but from one who ignores it and from what is no Python code."""
        now = signal.getsignal(signal.SIGTERM)
        if now in (signal.SIG_IGN, None):
            return False
        if now != self._on_term:
            self._before = signal.signal(signal.SIGTERM, self._on_term)
        return True

    def _on_term(self, number: int, frame: Any) -> None:
        for interruption, tell in list(self._watched.items()):
            interruption.preempted = True
            # The main thread may hold what the client needs for it.
            threading.Thread(target=tell, name="flyte-wandb-preempting", daemon=True).start()
        if callable(self._before):
            self._before(number, frame)
            return
        for interruption in list(self._watched):
            interruption.exit()


_SIGTERM_HANDLER: Final = SigtermHandler()
os.register_at_fork(
    before=_SIGTERM_HANDLER.before_fork,
    after_in_parent=_SIGTERM_HANDLER.in_parent,
    after_in_child=_SIGTERM_HANDLER.in_child,
)


def preemptible(interruption: Interruption, tell: Callable[[], None]) -> AbstractContextManager[None]:
    """Return a context in which SIGTERM ends the function, and ends nothing once the function is over.

    It handles the signal in the main thread only: Python can handle none elsewhere. A handler of somebody else is
    called in place of ending the function; who ignores SIGTERM goes on to do so. Afterwards the handler of before is
    back.

    Args:
        interruption: The end of the function.
        tell: Tells W&B of the signal. Called in a thread of its own.
    """
    return _SIGTERM_HANDLER.watched(interruption, tell)


def _exit_preempted() -> None:
    raise SystemExit(PREEMPTED)


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    """Raise an exception in another thread as soon as it runs Python code, or with None take a pending one back.

    W&B's own agent ends its trials so.
    """
    wanted = ctypes.py_object(kind) if kind else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), wanted)
