"""Time limits that are counted in our own process: a service that is stopped or swaps does not count its own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from .._light import Around

_LOOK_SECONDS: Final = 1.0
"""How often deadlines are looked at. A second more matters for none, and a thread for each would cost 0.1 ms."""


class Watchdog:
    """Calls a function when a deadline passes. One thread serves all deadlines, and sleeps while there are none.

    `_waiting.py` has one thread for each opening, because it asks and connects, which may block.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know no deadline: at first, and in a forked child, which has no thread of its parent's."""
        self._deadlines: dict[object, tuple[float, Callable[[], None]]] = {}
        self._lock = threading.Lock()  # else the thread could go to sleep just as a deadline is added
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None

    def within(self, seconds: float, give_up: Callable[[], None]) -> Around[object]:
        """Call `give_up`, in another thread, if the code inside takes longer. Zero removes the limit, as for W&B.

        Args:
            seconds: The limit, to the next second.
            give_up: Has what is inside end. It must not block for long.
        """
        return Around(partial(self._add_deadline, seconds, give_up), self._drop_deadline)

    def _add_deadline(self, seconds: float, give_up: Callable[[], None]) -> object:
        key = object()
        if seconds > 0:
            # Without the lock: one item of a dict is set, and popped, at once.
            self._deadlines[key] = time.monotonic() + seconds, give_up
            self._wake_up()
        return key

    def _drop_deadline(self, key: object) -> None:
        self._deadlines.pop(key, None)

    def _wake_up(self) -> None:
        with self._lock:
            if not self._busy.is_set():
                self._busy.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="flyte-wandb-watchdog", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while self._busy.wait():
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            # A copy, for deadlines come and go meanwhile; `pop` says whether what is inside has ended just now.
            for key, (deadline, give_up) in list(self._deadlines.items()):
                if now >= deadline and self._deadlines.pop(key, False):
                    give_up()
            with self._lock:
                if not self._deadlines:
                    self._busy.clear()


WATCHDOG: Final = Watchdog()
"""The one of this process."""

os.register_at_fork(after_in_child=WATCHDOG.forget)
