"""What a large world costs before it runs: decorating its task, its links, plans and previews."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from flyte.clustered import ClusteredTaskEnvironment

import flyte_wandb_builtin_strategies as builtin
from benchmarks._vitals import memory
from flyte_wandb import Request, Settings, StrategyManager, Topology, plan, preview
from flyte_wandb.links._per_part import build_task_links
from flyte_wandb.plans._spec import Spec

from .rendering import decorate, work

_PER_NODE: Final = 8
_MODES: Final = ("auto", "shared", "new")
_PLANS: Final = 200
_STRATEGIES: Final = StrategyManager()
_STRATEGIES.register(builtin, name="builtin")


def plan_one_rank(calls: str, batches: str) -> list[dict[str, float]]:
    """Plan rank 0 of 8 ranks, which owns a run in every mode and so asks every hook: seconds by mode, in batches."""
    count, requests = int(calls), {mode: _request(_PER_NODE, mode) for mode in _MODES}
    return [
        {mode: _plan_all(itertools.repeat(requests[mode], count)) / count for mode in _MODES}
        for _ in range(int(batches))
    ]


def plan_every_rank(ranks: str) -> dict[str, float]:
    """Plan every rank of a world: seconds by mode."""
    places = [_place(rank, int(ranks)) for rank in range(int(ranks))]
    return {mode: _plan_all(replace(_request(_PER_NODE, mode), topology=place) for place in places) for mode in _MODES}


def _plan_all(requests: Iterable[Request]) -> float:
    started = time.perf_counter()
    for request in requests:
        plan(request, _STRATEGIES)
    return time.perf_counter() - started


def _request(ranks: int, mode: str, rank: int = 0) -> Request:
    settings = Settings(run_mode=mode, rank_scope="worker" if rank else "global")
    return Request(run_name="r1", action_name="a0", settings=settings, topology=_place(rank, ranks))


def _place(rank: int, ranks: int) -> Topology:
    """Return where a rank stands in a world of nodes with eight ranks each."""
    node, local_rank = divmod(rank, _PER_NODE)
    world: dict[str, Any] = {"world_size": ranks, "local_world_size": _PER_NODE, "num_workers": ranks // _PER_NODE}
    return Topology(rank=rank, local_rank=local_rank, worker_index=node, launcher="torch-elastic", **world)


def _task(nodes: int, per_node: int = _PER_NODE) -> Any:
    environment: Any = ClusteredTaskEnvironment(name="measured", replicas=nodes, nproc_per_node=per_node)
    return environment.task(work)


def decorate_first(nodes: str, per_node: str) -> dict[str, float]:
    """Decorate the first task of this process."""
    return {"seconds": decorate(_task(int(nodes), int(per_node)))[0]}


def decorate_worlds(times: str) -> list[dict[str, float]]:
    """Decorate tasks of the largest world and of the smallest, after the first ones of this process."""
    decorate(_task(1))
    return [{"large": decorate(_task(8192))[0], "small": decorate(_task(1, 1))[0]} for _ in range(int(times))]


def plan_world(nodes: str, per_node: str) -> dict[str, float]:
    """Call `flyte-wandb plan`."""
    from flyte_wandb.cli import main

    world = ["plan", "--nodes", nodes, "--per-node", per_node, "--run-mode", "new", "--rank-scope", "worker"]
    main(world, standalone_mode=False)
    return {"peak": memory()}


def measure_rank(ranks: str, times: str) -> list[dict[str, float]]:
    """Decorate a task of so many ranks, make its links, and plan its last rank: seconds of a core."""
    size = int(ranks)
    spec = Spec(task_name="grown", declared=_place(0, size))
    last = _request(size, "new", size - 1)
    return [
        {
            "decorating": _core_seconds(partial(decorate, _task(size // _PER_NODE))),
            "links": _core_seconds(lambda: build_task_links(spec)),
            "plan": _core_seconds(lambda: [plan(last) for _ in range(_PLANS)]) / _PLANS,
        }
        for _ in range(int(times))
    ]


def preview_world(ranks: str, times: str) -> list[dict[str, float]]:
    """Preview all ranks: seconds of a core."""
    _, task = decorate(_task(int(ranks) // _PER_NODE))
    return [{"seconds": _core_seconds(lambda: preview(task))} for _ in range(int(times))]


def measure_preview(ranks: str) -> dict[str, float]:
    """Preview all ranks: the MiB at the peak, counted by Python, for what a process reserves comes in larger steps."""
    _, task = decorate(_task(int(ranks) // _PER_NODE))
    preview(task)
    tracemalloc.start()
    assert preview(task).runs
    return {"peak": tracemalloc.get_traced_memory()[1] / 2**20}


def _core_seconds(call: Callable[[], object]) -> float:
    """Return the seconds of a core that a call takes: it waits for nothing, and other processes do not count."""
    started = time.process_time()
    call()
    return time.process_time() - started
