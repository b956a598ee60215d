"""Fifty concurrent children with runs of their own, against fifty that open runs in threads by hand."""

from __future__ import annotations

import asyncio
import itertools
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import flyte
import wandb
from rich.progress import Progress

from flyte_wandb import wandb_init

from ._counts import Counts
from ._gap import ticking
from ._local import local_runner
from ._progress import ticker
from ._rows import Row, ratio_row
from ._samples import Samples, alternated

_WALL_LIMIT: Final = 1.2
_BLOCK_LIMIT: Final = 1.5
_ids = (f"child-{number}" for number in itertools.count())

env = flyte.TaskEnvironment(name="children")


@wandb_init(run_mode="new")
@env.task
async def tracked(number: int) -> int:
    """Have the decorator open and finish a run."""
    return number


@env.task
async def bare(number: int) -> int:
    """Open and finish a run by hand, in the threads of `asyncio.to_thread`."""
    run = await asyncio.to_thread(_open_bare)
    await asyncio.to_thread(run.finish)
    return number


def _open_bare() -> wandb.Run:
    return wandb.init(id=next(_ids), reinit="create_new", resume="allow")


_CHILDREN: Final[dict[str, Any]] = {"tracked": tracked, "bare": bare}


@env.task
async def crowd(kind: str, count: int) -> tuple[float, float]:
    """Call all children at once and return the seconds they took and the longest block of the event loop."""
    async with ticking() as gap:
        started = time.perf_counter()
        await asyncio.gather(*(_CHILDREN[kind](number) for number in range(count)))
        wall = time.perf_counter() - started
    return wall, gap.longest


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure the children's time and the longest block of the loop on which they and their parent run."""
    run = local_runner(folder)
    arms = [partial(run, crowd, kind, counts.children) for kind in _CHILDREN]
    tick = ticker(progress, "concurrent children", counts.crowds + 1)
    alternated(1, arms, tick)
    ours, by_hand = (_samples(arm) for arm in alternated(counts.crowds, arms, tick))
    (our_walls, our_blocks), (walls, blocks) = ours, by_hand
    name = f"{counts.children} concurrent children"
    return [
        ratio_row(f"{name}: wall time", our_walls, walls, _WALL_LIMIT),
        ratio_row(f"{name}: longest block of the loop", our_blocks, blocks, _BLOCK_LIMIT),
    ]


def _samples(arm: list[tuple[float, float]]) -> list[Samples]:
    """Return the wall times and the blocks."""
    return [Samples(values) for values in zip(*arm, strict=True)]
