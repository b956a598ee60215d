"""What `@wandb_init` adds to a bare `wandb.init` and `finish`, with empty bodies.

`wandb.init` varies by far more than the limit: the difference between pairs of whole calls is shown with its confidence
interval, which shows whether it could decide. What decides is what passes around the client: the time in the wrapper
(by hand: in the function that opens and finishes the run), less what of it passes inside of `wandb.init` and
`Run.finish`, on whatever threads they run. It is an upper bound of what we add: what we load into the processor's
caches first, `wandb.init` finds there.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import flyte
import wandb
from rich.progress import Progress

from flyte_wandb import wandb_init
from flyte_wandb.tasks import _call as _session

from ._counts import Counts
from ._local import local_runner
from ._progress import ticker
from ._rows import Row, difference_row
from ._samples import Samples, alternated
from ._stopwatch import Stopwatch

_LIMIT: Final = 0.5e-3
_PAIRS_PER_RUN: Final = 10
_ids = (f"bare-{number}" for number in itertools.count())

env = flyte.TaskEnvironment(name="overhead")


_watch = Stopwatch()


@contextmanager
def _watched() -> Iterator[None]:
    """Time the wrapper and the client, the same for both arms."""
    with ExitStack() as timed:
        for owner, name, timer in (
            (wandb, "init", _watch.in_client),
            (wandb.Run, "finish", _watch.in_client),
            (_session, "call_sync", _watch.in_wrapper),
            (_session, "call_async", _watch.in_async_wrapper),
        ):
            untimed = getattr(owner, name)
            timed.callback(setattr, owner, name, untimed)
            setattr(owner, name, timer(untimed))
        yield


def _open_bare() -> wandb.Run:
    return wandb.init(id=next(_ids), reinit="create_new", resume="allow")


@_watch.in_wrapper
def bare() -> None:
    """Open and finish a run by hand."""
    _open_bare().finish()


@_watch.in_async_wrapper
async def _bare_in_threads() -> None:
    run = await asyncio.to_thread(_open_bare)
    await asyncio.to_thread(run.finish)


@wandb_init
def tracked() -> None:
    """Have the decorator open and finish a run."""


@env.task
def bare_sync() -> None:
    """Open and finish a run by hand, in a task."""
    bare()


@wandb_init
@env.task
def tracked_sync() -> None:
    """Have the decorator open and finish a run, in a task."""


@env.task
async def bare_async() -> None:
    """Open and finish a run by hand, in a task that keeps the event loop free."""
    await _bare_in_threads()


@wandb_init
@env.task
async def tracked_async() -> None:
    """Have the decorator open and finish a run, in a task that keeps the event loop free."""


async def _timed(call: Callable[[], Any]) -> tuple[float, float]:
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started, _watch.around_client()


@env.task
async def pairs(is_async: bool, count: int) -> list[list[float]]:
    """Call both tasks in turns; return the seconds of ours, of them around the client, and the same by hand."""
    arms = (tracked_async, bare_async) if is_async else (tracked_sync.aio, bare_sync.aio)
    found = []
    for turn in range(count):
        order = (0, 1) if turn % 2 else (1, 0)
        took = {arm: await _timed(arms[arm]) for arm in order}
        found.append([*took[0], *took[1]])
    return found


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure a plain function outside of Flyte, and sync and async tasks inside of its local mode."""
    run = local_runner(folder)
    with _watched():
        _outside(2, lambda: None)
        outside = _outside(counts.outside, ticker(progress, "overhead outside Flyte", counts.outside))
        run(pairs, True, 1), run(pairs, False, 1)
        tick = ticker(progress, "overhead in tasks", 2 * counts.inside // _PAIRS_PER_RUN)
        inside = [_inside(partial(run, pairs, is_async), counts.inside, tick) for is_async in (False, True)]
    found = zip(("a plain function", "a sync task", "an async task"), (outside, *inside), strict=True)
    return [row for name, four in found for row in _rows(name, four)]


def _outside(count: int, tick: Callable[[], None]) -> list[list[float]]:
    ours, by_hand = alternated(count, (partial(_clocked, tracked), partial(_clocked, bare)), tick)
    return [[*one, *other] for one, other in zip(ours, by_hand, strict=True)]


def _clocked(call: Callable[[], None]) -> tuple[float, float]:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started, _watch.around_client()


def _inside(run_pairs: Callable[[int], list[list[float]]], count: int, tick: Callable[[], None]) -> list[list[float]]:
    found: list[list[float]] = []
    while len(found) < count:
        found += run_pairs(_PAIRS_PER_RUN)
        tick()
    return found


def _rows(name: str, found: list[list[float]]) -> list[Row]:
    ours, ours_around, by_hand, by_hand_around = (Samples(values) for values in zip(*found, strict=True))
    what = f"@wandb_init on {name} - bare init and finish"
    return [
        difference_row(f"{what}: around W&B's client", ours_around, by_hand_around, _LIMIT),
        difference_row(f"{what}: whole calls (noisy)", ours, by_hand),
    ]
