"""How long an event loop was blocked, seen by a coroutine on it. Standard library only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_TICK: Final = 0.001


class Gap:
    """The longest time between two ticks of a coroutine that only sleeps: how long the loop was blocked."""

    longest = 0.0

    async def tick(self) -> None:
        """Tick until cancelled."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_TICK)
            now = time.perf_counter()
            self.longest, last = max(self.longest, now - last), now


@asynccontextmanager
async def ticking() -> AsyncIterator[Gap]:
    """Tick while the block runs, and give what was seen."""
    gap = Gap()
    ticking = asyncio.create_task(gap.tick())
    try:
        yield gap
        await asyncio.sleep(2 * _TICK)
    finally:
        ticking.cancel()
