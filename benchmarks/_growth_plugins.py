"""Installed plugins, the built-in ones as one of them: loading them, and a plan that asks them all."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from ._growth_rows import LINEAR, Cost
from ._plugins import install, told
from ._progress import ticker

SIZES: Final = (1, 2, 4, 8, 16, 33)
_STARTS: Final = 5
_CALLS: Final = 200
_CHILD: Final = "from benchmarks._growth_plugins import tell; tell({})"


def tell(calls: int) -> None:
    """Print the seconds of a core that loading the plugins takes, and one plan."""
    import flyte_wandb

    request = flyte_wandb.Request(run_name="r1", action_name="a0", settings=flyte_wandb.Settings(run_mode="new"))
    started = time.process_time()
    flyte_wandb.plan(request)
    loaded = time.process_time()
    for _ in range(calls):
        flyte_wandb.plan(request)
    print(json.dumps([loaded - started, (time.process_time() - loaded) / calls]))


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure fresh interpreters, each of which finds so many distributions."""
    tick = ticker(progress, "plugins", len(SIZES))
    loads, plans = [], []
    for size in SIZES:
        load, plan = _least(partial(told, folder, _CALLS, _installed(folder / f"plugins-{size}", size - 1), _CHILD))
        loads.append(load)
        plans.append(plan)
        tick()
    common: dict[str, Any] = {"of": "plugins", "sizes": SIZES, "expected": LINEAR, "repetitions": _STARTS}
    return [
        Cost(what="loading", values=loads, unit="ms", scale=1e3, **common),
        Cost(what="plan() of one rank", values=plans, unit="us", scale=1e6, **common),
    ]


def _installed(folder: Path, plugins: int) -> Path:
    for number in range(plugins):
        install(folder, number)
    return folder


def _least(child: partial[Any]) -> tuple[float, float]:
    """Return the least seconds of loading and of a plan."""
    loads, plans = zip(*(child() for _ in range(_STARTS)), strict=True)
    return min(loads), min(plans)
