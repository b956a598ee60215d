"""Ranks as a clustered environment starts them, each an `a0` process: how soon the user's code is reached."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from flyte_wandb import wandb_config
from flyte_wandb.testing import WandbServer, start_container, start_ranks

from . import _note
from ._bare_tasks import bare, bare_new, bare_shared
from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ratio_row
from ._samples import Samples, alternated
from ._tracked_tasks import tracked

_START_LIMIT: Final = 1.1
_MEMORY_LIMIT: Final = 1.05
SKIPS: Final = {
    "FLYTE_CLUSTERED_WORKER": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "NODE_RANK": "0",
    "NNODES": "1",
}
_folders = itertools.count()


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure a rank that skips, and two nodes of two ranks until each has its run."""
    tick = ticker(progress, "a rank that skips", counts.skips)
    arms = [partial(_skipping, task, folder) for task in (tracked, bare)]
    for warm_up in arms:
        warm_up()
    ours, by_hand = (list(zip(*arm, strict=True)) for arm in alternated(counts.skips, arms, tick))
    name = "a rank that skips, until the user's code"
    return [
        ratio_row(f"{name}: time", Samples(ours[0]), Samples(by_hand[0]), _START_LIMIT),
        ratio_row(f"{name}: peak memory", _memory(ours[1]), _memory(by_hand[1]), _MEMORY_LIMIT),
        *_opening(counts, folder, progress),
    ]


def _memory(values: Any) -> Samples:
    return Samples(values, unit="MiB", scale=1)


def _skipping(task: Any, folder: Path) -> tuple[float, float]:
    """Return seconds from the start of the process, and MiB at the peak."""
    own = _own(folder)
    started = time.time()
    result = start_container(task, folder=own, environ=SKIPS).wait()
    assert result.error is None, result.log
    reached, peak = _note.read(own, rank=1)
    return reached - started, peak


def _opening(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    arms = [
        partial(_until_all_have_their_run, task, run_mode, folder)
        for run_mode, by_hand in (("new", bare_new), ("shared", bare_shared))
        for task in (tracked, by_hand)
    ]
    times = alternated(counts.openings, arms, ticker(progress, "2 x 2 ranks", counts.openings))
    new, bare_new_times, shared, bare_shared_times = (Samples(values) for values in times)
    name = "2 x 2 ranks, until all have their run"
    return [
        ratio_row(f"{name}: run_mode 'new'", new, bare_new_times, _START_LIMIT),
        ratio_row(f"{name}: run_mode 'shared'", shared, bare_shared_times, _START_LIMIT),
    ]


def _until_all_have_their_run(task: Any, run_mode: str, folder: Path) -> float:
    own, context = _own(folder), wandb_config(run_mode=run_mode)
    with WandbServer() as server:
        started = time.time()
        ranks = start_ranks(task, folder=own, nodes=(2, 2), environ=_quiet(server), context=context)
        results = [rank.wait() for rank in ranks]
    assert [result.error for result in results] == [None] * 4, results[0].log
    return max(_note.read(own, rank)[0] for rank in range(4)) - started


def _quiet(server: WandbServer) -> Mapping[str, str]:
    return server.environ | {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB__DISABLE_STATS": "true"}


def _own(folder: Path) -> Path:
    own = folder / f"ranks-{next(_folders)}"
    own.mkdir()
    return own
