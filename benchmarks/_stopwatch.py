"""Seconds inside of a wrapper, and of them those inside of W&B's client. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Seconds inside the wrapper and inside of W&B's client since the last reset; runs follow each other."""

    def __init__(self) -> None:
        self.wrapper = self.client = 0.0

    def around_client(self) -> float:
        """Return the wrapper's seconds outside of the client, and start again."""
        around = self.wrapper - self.client
        self.wrapper = self.client = 0.0
        return around

    def in_client(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make `call` note its time as the client's."""

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.client += time.perf_counter() - started

        return timed

    def in_wrapper(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make `call` note its time as the wrapper's."""

        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                self.wrapper += time.perf_counter() - started

        return timed

    def in_async_wrapper(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make the coroutine function `call` note its time as the wrapper's."""

        async def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return await call(*arguments)
            finally:
                self.wrapper += time.perf_counter() - started

        return timed
