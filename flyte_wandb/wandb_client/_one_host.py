"""Runs on different servers are opened one server after the other: W&B's client is logged in to one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class OneHostAtATime(Generic[T]):
    """Lets any number of openings in together as long as they are for the same host.

    Args:
        save: Reads the client's login, before the first opening for a host of its own.
        restore: Puts it back after the last one.

    >>> login = ["own"]
    >>> hosts = OneHostAtATime(save=lambda: login[0], restore=lambda before: login.__setitem__(0, before))
    >>> with hosts.logged_in("https://wandb.example.com"):
    ...     login[0] = "example"
    >>> login
    ['own']
    """

    def __init__(self, *, save: Callable[[], T], restore: Callable[[T], None]) -> None:
        self._save, self._restore = save, restore
        self._changed = threading.Condition()
        self._host: str | None = None
        self._inside = 0
        self._before: list[T] = []

    @contextmanager
    def logged_in(self, host: str | None) -> Iterator[None]:
        """Wait until no opening for another host is under way. None is the client's own host, whose login stays."""
        with self._changed:
            self._changed.wait_for(lambda: not self._inside or self._host == host)
            self._enter(host)
        try:
            yield
        finally:
            with self._changed:
                self._leave()
                self._changed.notify_all()

    def _enter(self, host: str | None) -> None:
        self._host = host
        self._inside += 1
        if host is not None and not self._before:
            self._before.append(self._save())

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside and self._before:
            self._restore(self._before.pop())
