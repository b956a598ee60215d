"""Lighter forms of what `contextlib` and `threading` have, for what every task enters and makes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Around(Generic[T]):
    """A context of two functions. A generator under `contextlib.contextmanager` takes four times as long (3.11).

    Args:
        enter: Is called first; the block gets what it returns.
        leave: Is called with that when the block is left, however it is.

    >>> log = []
    >>> with Around(lambda: "inside", log.append) as where:
    ...     where
    'inside'
    >>> log
    ['inside']
    """

    __slots__ = ("_enter", "_leave", "_state")

    def __init__(self, enter: Callable[[], T], leave: Callable[[T], object]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> T:
        self._state = self._enter()
        return self._state

    def __exit__(self, *_: object) -> None:
        self._leave(self._state)


class Latch:
    """Something that happens once, and that threads wait for: a `threading.Event` at a tenth of its cost.

    It is a lock that is held until then, and there is no other lock in it: a handler of signals may set it.

    >>> latch = Latch()
    >>> latch.wait(0.0), latch.set(), latch.wait()
    (False, None, True)
    """

    __slots__ = ("_is_set", "_lock")

    def __init__(self) -> None:
        self._is_set = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Release all who wait now or later."""
        self._is_set = True
        with suppress(RuntimeError):  # it was released before
            self._lock.release()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has happened, and say whether it has.

        Args:
            seconds: How long at most, or None for ever.
        """
        if not self._is_set and self._lock.acquire(timeout=-1 if seconds is None else max(0.0, seconds)):
            with suppress(RuntimeError):  # the next one who waits; it may have been released for him meanwhile
                self._lock.release()
        return self._is_set
