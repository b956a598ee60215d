"""`plan()` with the built-in strategies: for one rank, and for every rank of a large world."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import Progress

import flyte_wandb_builtin_strategies as builtin
from flyte_wandb import Request, Settings, StrategyManager, Topology, plan
from flyte_wandb.plans._world import world_requests

from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ceiling_row
from ._samples import Samples, alternated

_MODES: Final = ("auto", "shared", "new")
_RANK_LIMIT: Final = 100e-6
_WORLD_LIMIT: Final = 10.0
_PER_NODE: Final = 8


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure rank 0 of 8 ranks, which owns a run in every mode and so asks every hook, and a whole world."""
    strategies = StrategyManager()
    strategies.register(builtin, name="builtin")
    one = [partial(_batch, _request(mode, _PER_NODE), strategies, counts.batch) for mode in _MODES]
    all_ranks = [partial(_world, _request(mode, counts.ranks), strategies) for mode in _MODES]
    batches = alternated(counts.batches, one, ticker(progress, "plan() for one rank", counts.batches))
    worlds = alternated(counts.worlds, all_ranks, ticker(progress, "plan() for every rank", counts.worlds))
    return [_rank_row(*pair) for pair in zip(_MODES, batches, strict=True)] + [
        _world_row(counts, *pair) for pair in zip(_MODES, worlds, strict=True)
    ]


def _rank_row(mode: str, seconds: list[float]) -> Row:
    return ceiling_row(f"plan() for one rank, run_mode {mode!r}", Samples(seconds, "us", 1e6), _RANK_LIMIT)


def _world_row(counts: Counts, mode: str, seconds: list[float]) -> Row:
    what = f"plan() for every one of {counts.ranks:,} ranks, run_mode {mode!r}"
    return ceiling_row(what, Samples(seconds, "s", 1), _WORLD_LIMIT)


def _batch(request: Request, strategies: StrategyManager, calls: int) -> float:
    """Return the seconds per call."""
    started = time.perf_counter()
    for _ in range(calls):
        plan(request, strategies)
    return (time.perf_counter() - started) / calls


def _world(request: Request, strategies: StrategyManager) -> float:
    started = time.perf_counter()
    for one in world_requests(request):
        plan(one, strategies)
    return time.perf_counter() - started


def _request(mode: str, ranks: int) -> Request:
    """Ask for rank 0 of a world of nodes with 8 ranks each."""
    topology = Topology(
        world_size=ranks, local_world_size=_PER_NODE, num_workers=ranks // _PER_NODE, launcher="torch-elastic"
    )
    return Request(run_name="r1", action_name="a0", settings=Settings(run_mode=mode), topology=topology)
