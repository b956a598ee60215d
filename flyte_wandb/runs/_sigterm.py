"""SIGTERM ends the tracked functions of this process well inside the 30 seconds that Kubernetes gives a pod."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from .._light import Latch
from ._termination import PREEMPTED, Interruption

_LOG: Final = logging.getLogger("flyte_wandb")

FINISH_SECONDS: Final = 8.0
"""What W&B gets to take the rows of a run, once its function is over. With the default grace of ten, and the five
seconds below, it leaves seven of Kubernetes' 30."""

KEEP_SECONDS: Final = 2.0
"""How long keeping what W&B did not take in Flyte's storage may hold up a result that is there."""

_LEAVE_SECONDS: Final = 5.0
"""How long it may take to release a run that W&B had no time to finish: its log gets two seconds to reach the disk, and
its copy to the storage `KEEP_SECONDS`."""

_FLUSH_SECONDS: Final = 1.0
"""How long the process may take to write out what it has printed before it exits."""


_SIGNALS: Final[Any] = getattr(signal, "_signal", signal)
"""Python's own handlers, without what `signal` puts around them: it looks for the member of an enum that a handler is,
which costs every task as much as all else here."""


def _nothing() -> None: ...


@dataclass(kw_only=True, eq=False, repr=False)
class WatchedCall:
    """One call of a tracked function, from before its run is opened until after it was finished.

    Attributes:
        interruption: What ends the function, and how far it is.
        grace: Seconds that the function has to end after SIGTERM.
        container: Whether this process is there for the call, and is to end with it.
        mark: Tells W&B of the preemption. May block.
        close: Lets go of the run as that of a preempted task. May block.
        abandon: Has a `close` that waits for W&B wait no more.
        returned: Whether there is a result, which takes Flyte as long to write as it does.
        ended: Is set when the call is over and its run finished.
        signalled: Is taken once SIGTERM was seen for this call, so that a second one does not disturb its end.
    """

    interruption: Interruption
    grace: float
    container: bool = False
    mark: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing
    abandon: Callable[[], None] = _nothing
    returned: bool = False
    ended: Latch = field(default_factory=Latch)
    signalled: threading.Lock = field(default_factory=threading.Lock)


class SigtermHandler:
    """Handles SIGTERM while functions are watched, whichever thread they run in.

    The sequence:

    1. The handler runs in the main thread, or, while that is in native code, a thread that reads the signal's wakeup
       descriptor gets it first. In both cases each watched call gets one thread, which ends it.
    2. That thread marks the run preempted, and ends the function: a sync one by `PreemptedError`, raised in its thread
       (in the main thread by the handler); a coroutine by cancelling it.
    3. The function has its grace for its own clean-up, and its run is finished as ever. Finishing has `FINISH_SECONDS`;
       then what W&B did not take stays on the disk. A result that the function has returned is returned.
    4. A function that does not end (native code, `time.sleep` in a thread, swallowed exceptions) has its run finished
       from here, and the process exits with 143.
    5. A container that does not end with its function (a thread of its code is still running) exits so, too.

    If a handler is already installed, the run is marked preempted and the handler is called instead of steps 2 to 4;
    "ignore" stays "ignore". The old handler is restored after the last call. A forked child has it back at once: it is
    not a task.
    """

    def __init__(self) -> None:
        # `_loop` is that of the main thread, and `_reached` whether the main thread was ever called.
        self._calls: set[WatchedCall] = set()
        self._before: Any = None
        self._pipe: tuple[int, int] | None = None
        self._forking = threading.local()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reached = False

    def watching(self, call: WatchedCall) -> AbstractContextManager[WatchedCall]:
        """Have SIGTERM end a call. Outside of the main thread this needs a loop there; Flyte's runtime has one."""
        return _Watching(self, call)

    def watch(self, call: WatchedCall) -> None:
        """Have SIGTERM end a call, until `leave`."""
        self._calls.add(call)
        self._call_in_main_thread(self._install)

    def leave(self, call: WatchedCall) -> None:
        """Have SIGTERM end a call no more: it is over, and its run finished."""
        call.ended.set()
        self._calls.discard(call)
        if not self._calls and self._reached:  # else nothing was ever installed
            self._call_in_main_thread(self._uninstall)

    def _call_in_main_thread(self, call: Callable[[], None]) -> None:
        """Call something in the main thread, where alone Python lets handlers be set: at once, or when its loop turns.

        Not waited for: a caller in a thread continues with opening a run, which takes longer, or has ended.
        """
        if threading.current_thread() is threading.main_thread():
            self._reached = True
            call()
            return
        loop = self._loop
        if loop is None or not loop.is_running():  # a look takes longer than all else here
            loop = self._loop = _loop_of_main_thread()
        if loop:
            self._reached = True
            with suppress(RuntimeError):  # it was closed meanwhile
                loop.call_soon_threadsafe(call)

    def _install(self) -> None:
        """Take SIGTERM over, unless it is ignored or has a handler in C."""
        current = _SIGNALS.getsignal(signal.SIGTERM)
        # None is a handler in C, which Python could not put back. The calls may be over: a loop runs this later.
        if current in (signal.SIG_IGN, None, self._on_term) or not self._calls:
            return
        self._before = _SIGNALS.signal(signal.SIGTERM, self._on_term)
        # Python's handler waits until native code returns; the descriptor is written at once.
        descriptor = signal.set_wakeup_fd(self._wakeup_descriptor(), warn_on_full_buffer=False)
        if descriptor not in (-1, self._wakeup_descriptor()):
            signal.set_wakeup_fd(descriptor)  # that of somebody's event loop

    def _uninstall(self) -> None:
        if self._calls or _SIGNALS.getsignal(signal.SIGTERM) != self._on_term:
            return
        _SIGNALS.signal(signal.SIGTERM, self._before)
        descriptor = signal.set_wakeup_fd(-1)
        if descriptor != self._wakeup_descriptor():
            signal.set_wakeup_fd(descriptor)

    def _wakeup_descriptor(self) -> int:
        """Return the descriptor that wakes up the thread that hears of signals; it is there from the first time on."""
        if self._pipe is None:
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[1], False)  # `set_wakeup_fd` refuses one that blocks
            _start_thread("sigterm", partial(self._read_signals, self._pipe[0]))
        return self._pipe[1]

    def _read_signals(self, descriptor: int) -> None:
        # One byte for each signal, whichever it is.
        while numbers := os.read(descriptor, 64):
            if signal.SIGTERM in numbers:
                self._preempt_calls()

    def _on_term(self, number: int, frame: Any) -> None:
        self._preempt_calls()
        if callable(self._before):
            self._before(number, frame)
            return
        for call in list(self._calls):
            call.interruption.raise_in_handler()

    def _preempt_calls(self) -> None:
        for call in list(self._calls):
            # A lock, for the handler and the thread that listens see the same signal.
            if call.signalled.acquire(blocking=False):
                call.interruption.preempted = True
                _start_thread("preempting", partial(self._preempt_call, call))

    def _preempt_call(self, call: WatchedCall) -> None:
        deadline = time.monotonic() + call.grace + FINISH_SECONDS
        if not call.interruption.over.is_set():
            _start_thread("marking", call.mark)  # its own: a silent service would block it, and with it the end
        if callable(self._before):  # somebody else's handler decides what becomes of the function
            return
        call.interruption.preempt()
        _start_thread("logging", partial(_log_arrival, call))  # its own: the function may hold the lock of the log
        if call.interruption.over.wait(call.grace):
            if not call.ended.wait(FINISH_SECONDS):
                call.abandon()
        else:
            closing = _start_thread("closing", call.close)
            closing.join(FINISH_SECONDS)
            if closing.is_alive():
                call.abandon()
                closing.join(_LEAVE_SECONDS)
        if call.interruption.over.is_set():
            call.ended.wait(_LEAVE_SECONDS)
        if not call.ended.is_set():
            self._exit_process(
                call,
                deadline,
                f"SIGTERM did not end the function within {call.grace:g} s (it is in native code, sleeps, or swallows "
                f"exceptions), so the process exits with {PREEMPTED}; sigterm_grace= gives it more time",
            )
        elif call.container and not call.returned:
            # Time for Flyte to write the error. This thread ends with the process.
            time.sleep(max(_LEAVE_SECONDS, deadline - time.monotonic()))
            self._exit_process(
                call,
                deadline,
                "the function has ended after SIGTERM, but a thread is still running (such as one of "
                f"asyncio.to_thread), so the process exits with {PREEMPTED}",
            )

    def _exit_process(self, call: WatchedCall, deadline: float, reason: str) -> None:
        """End the process, after the runs of its other calls were finished."""
        for other in self._calls - {call}:
            other.interruption.closed.wait(max(0.0, deadline - time.monotonic()))
        _LOG.error(reason)
        _flush()
        # Not `sys.exit`: the stuck function may never let the interpreter end.
        os._exit(PREEMPTED)

    def before_fork(self) -> None:
        """Hold SIGTERM back: a child that it reached before `in_child` would take it for its parent's, and lose it."""
        self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def in_parent(self) -> None:
        """Deliver what was held back."""
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forking.mask)

    def in_child(self) -> None:
        """Put the handler of before back, and watch no call: a forked child is nobody's task."""
        self._calls.clear()
        self._uninstall()
        for descriptor in self._pipe or ():
            os.close(descriptor)
        self._pipe = self._loop = None
        self.in_parent()


class _Watching(AbstractContextManager[WatchedCall]):
    """What `SigtermHandler.watching` returns: no generator, for every task enters one."""

    def __init__(self, handler: SigtermHandler, call: WatchedCall) -> None:
        self._handler, self._call = handler, call

    def __enter__(self) -> WatchedCall:
        try:
            self._handler.watch(self._call)
        except BaseException:
            self._handler.leave(self._call)
            raise
        return self._call

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._call.returned = kind is None
        self._handler.leave(self._call)


SIGTERM_HANDLER: Final = SigtermHandler()
"""The one handler of this process: a signal has no other."""

os.register_at_fork(
    before=SIGTERM_HANDLER.before_fork,
    after_in_parent=SIGTERM_HANDLER.in_parent,
    after_in_child=SIGTERM_HANDLER.in_child,
)


def _loop_of_main_thread() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in the main thread: Flyte's `a0` has one, and awaits sync functions on it.

    It has no public way from another thread.
    """
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None:
        if frame.f_code.co_name == "run_forever":
            loop = frame.f_locals.get("self")
            return loop if isinstance(loop, asyncio.AbstractEventLoop) else None
        frame = frame.f_back
    return None


def _flush() -> None:
    """Write out what the process has printed, unless the stuck function holds the lock of it."""
    _start_thread("flushing", lambda: (sys.stdout.flush(), sys.stderr.flush())).join(_FLUSH_SECONDS)


def _log_arrival(call: WatchedCall) -> None:
    if call.interruption.over.is_set():
        _LOG.warning("SIGTERM arrived; finishing the run has %g s", FINISH_SECONDS)
    else:
        _LOG.warning(
            "SIGTERM arrived; the function has %g s to end (sigterm_grace=), then finishing its run has %g s",
            call.grace,
            FINISH_SECONDS,
        )


def _start_thread(doing: str, target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target, name=f"flyte-wandb-{doing}", daemon=True)
    thread.start()
    return thread
