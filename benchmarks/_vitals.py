"""What a process says of itself: its memory, when it reached the user's code, how long its event loop was blocked.

Standard library only, and nothing of it before it is needed: processes whose import is measured use this.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path


def memory(field: str = "VmHWM") -> float:
    """Return the MiB of this process alone: at its peak, or now with ``VmRSS``.

    The standard library's `resource` begins with the peak of the process that started this one.
    """
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(f"{field}:")) / 1024


def leave_note() -> None:
    """Write when this rank has reached the user's code (seconds since the epoch), and its peak memory by then (MiB)."""
    with open(f"note-{os.environ['RANK']}", "w") as note:
        note.write(f"{time.time()} {memory()}")


def read_notes(folder: Path) -> list[tuple[float, float]]:
    """Read the notes of all ranks that were started in `folder`."""
    notes = [note.read_text().split() for note in folder.glob("note-*")]
    return [(float(reached), float(peak)) for reached, peak in notes]


async def watch_loop(work: Awaitable[object]) -> tuple[float, float]:
    """Await `work`, and return the seconds that it took and those for which the event loop was blocked at most.

    A coroutine that only sleeps sees the blocks: they are the longest time between two of its ticks.
    """
    import asyncio

    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking, started = asyncio.create_task(tick()), time.perf_counter()
    try:
        await work
        took = time.perf_counter() - started
        await asyncio.sleep(0.002)
    finally:
        ticking.cancel()
    return took, longest
