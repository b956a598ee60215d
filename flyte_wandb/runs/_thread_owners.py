"""To which tracked call a thread without context belongs: to the one in which it was started.

So Python has it where threads inherit the context of their starter (`sys.flags.thread_inherit_context`, from 3.14 on).
Which runs are open says nothing of it: tasks that are not tracked may run in the same process.
"""

from __future__ import annotations

import functools
import threading
import weakref
from typing import Final

import flyte

from ._current import CURRENT_CALL, TrackedCall, current_call

_OWNER: Final = "_flyte_wandb_owner"
"""The attribute in which a thread keeps a reference to the call that has started it, or None."""


def in_bare_thread() -> bool:
    """Whether this is a thread that copied no context, so that its context says nothing of the task it belongs to."""
    # The main thread has no context to copy: outside of any task is what it says. That of a forked child is the thread
    # that has forked it, such as the one in which a pool replaces its workers.
    if threading.current_thread() is threading.main_thread() and not is_owner_known():
        return False
    return CURRENT_CALL.get() is None and not flyte.ctx()


def owning_call() -> TrackedCall | None:
    """Return the tracked call that surrounds this code, also in a thread without context."""
    if not in_bare_thread():
        return current_call()
    reference: weakref.ref[TrackedCall] | None = getattr(threading.current_thread(), _OWNER, None)
    return reference() if reference else None


def is_owner_known() -> bool:
    """Whether it is known who has started this thread: native code, say, tells nobody."""
    return hasattr(threading.current_thread(), _OWNER)


def _remember_starters() -> None:
    """Have every thread that is started from now on remember in which tracked call that was."""
    start = threading.Thread.start

    @functools.wraps(start)
    def start_owned(thread: threading.Thread) -> None:
        owner = owning_call()
        # Weak: the threads of a pool may live as long as the process, and the call holds its run.
        setattr(thread, _OWNER, weakref.ref(owner) if owner else None)
        start(thread)

    threading.Thread.start = start_owned  # type: ignore[method-assign, assignment]


_remember_starters()  # once, as this is imported: before the first tracked function is called
