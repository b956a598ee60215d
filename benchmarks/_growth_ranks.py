"""Ranks: decorating their task, the plan of one of them, and the preview of all."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flyte.clustered import ClusteredTaskEnvironment
from rich.progress import Progress

from flyte_wandb import Request, Settings, plan, preview, wandb_init
from flyte_wandb.links._per_part import build_task_links
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plans._world import even_world, topology_of_rank

from ._growth_rows import CONSTANT, LINEAR, Cost, least
from ._progress import ticker

SIZES: Final = (8, 40, 200, 1_000, 5_000, 20_000, 100_000)
_PER_NODE: Final = 8
_OFTEN: Final = 20
_BATCH: Final = 200
_PREVIEWS: Final = 2


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure worlds of nodes with eight ranks each, in which every rank has a run."""
    tick = ticker(progress, "ranks", len(SIZES))
    columns: list[list[float]] = [[] for _ in range(5)]
    for size in SIZES:
        task = _task(size)
        costs = (_decorating(size), _linking(size), _planning(size), _previewing(task), _previewing_memory(task))
        for column, cost in zip(columns, costs, strict=True):
            column.append(cost)
        tick()
    often: dict[str, Any] = {"of": "ranks", "sizes": SIZES, "repetitions": _OFTEN}
    few: dict[str, Any] = {"of": "ranks", "sizes": SIZES, "expected": LINEAR}
    decorating, linking, planning, previewing, memory = columns
    return [
        Cost(what="decorating a task", values=decorating, unit="us", scale=1e6, expected=CONSTANT, **often),
        Cost(what="its links", values=linking, unit="us", scale=1e6, expected=CONSTANT, **often),
        Cost(what="plan() of the last rank", values=planning, unit="us", scale=1e6, expected=CONSTANT, **often),
        Cost(what="preview() of all: time", values=previewing, unit="ms", scale=1e3, repetitions=_PREVIEWS, **few),
        Cost(what="preview() of all: peak memory", values=memory, unit="MiB", scale=2**-20, **few),
    ]


def _task(ranks: int) -> Any:
    return wandb_init(run_mode="new", rank_scope="worker")(_bare_task(ranks))


def _bare_task(ranks: int) -> Any:
    environment: Any = ClusteredTaskEnvironment(name="grown", replicas=ranks // _PER_NODE, nproc_per_node=_PER_NODE)

    def work() -> None: ...

    return environment.task(work)


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of a core that a call takes: it waits for nothing, and other processes do not count."""
    started = time.process_time()
    call()
    return time.process_time() - started


def _decorating(ranks: int) -> float:
    decorate = wandb_init(run_mode="new", rank_scope="worker")
    tasks = [_bare_task(ranks) for _ in range(_OFTEN)]
    return min(timed(lambda task=task: decorate(task)) for task in tasks)  # type: ignore[misc]


def _linking(ranks: int) -> float:
    spec = Spec(task_name="grown", declared=even_world(ranks // _PER_NODE, _PER_NODE))
    return least(_OFTEN, lambda: timed(lambda: build_task_links(spec)))


def _planning(ranks: int) -> float:
    topology = topology_of_rank(even_world(ranks // _PER_NODE, _PER_NODE), ranks - 1)
    settings = Settings(run_mode="new", rank_scope="worker")
    request = Request(run_name="r1", action_name="a0", settings=settings, topology=topology)

    def batch() -> None:
        for _ in range(_BATCH):
            plan(request)

    return least(_OFTEN, lambda: timed(batch) / _BATCH)


def _previewing(task: Any) -> float:
    return least(_PREVIEWS, lambda: timed(lambda: preview(task)))


def _previewing_memory(task: Any) -> float:
    """Return the bytes at the peak, counted by Python: what a process reserves comes in larger steps."""
    tracemalloc.start()
    try:
        found = preview(task)
        assert found.runs
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
