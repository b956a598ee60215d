"""What a large world costs before it runs: decorating its task, and `flyte-wandb plan`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from flyte.clustered import ClusteredTaskEnvironment
from rich.progress import Progress

from flyte_wandb import wandb_init

from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ceiling_row, ratio_row
from ._samples import Samples, alternated

_WORLDS: Final = ((8192, 8), (1, 1))
_DECORATION_LIMIT: Final = 2e-3
_PLAN_LIMIT: Final = 10.0
_PLAN_MEMORY_LIMIT: Final = 500.0
_SOURCES: Final = Path(__file__).resolve().parents[1]
_FIRST: Final = "from benchmarks._previews import first_decoration; first_decoration({}, {})"
_PLAN: Final = "from benchmarks._previews import plan_of_a_world; plan_of_a_world({}, {})"


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure decorations in this process and in fresh ones, and previews of the largest world."""
    arms = [partial(_decorated, *world) for world in _WORLDS]
    for warm_up in arms:
        warm_up()
    later = alternated(counts.decorations, arms, ticker(progress, "decorations", counts.decorations))
    fresh = [partial(_child, _FIRST.format(*world), folder) for world in _WORLDS]
    large, small = alternated(counts.starts, fresh, ticker(progress, "first decorations", counts.starts))
    previews = [partial(_child, _PLAN.format(*_WORLDS[0]), folder)]
    (found,) = alternated(counts.starts, previews, ticker(progress, "flyte-wandb plan", counts.starts))
    times, peaks = zip(*found, strict=True)
    return [
        *(_decoration_row(*pair) for pair in zip(_WORLDS, later, strict=True)),
        ratio_row("the first in a process, which loads the plugins: 8,192 x 8 / 1 x 1", Samples(large), Samples(small)),
        ceiling_row("flyte-wandb plan, 8,192 x 8: the whole process", Samples(times, "s", 1), _PLAN_LIMIT),
        ceiling_row("flyte-wandb plan, 8,192 x 8: peak memory", Samples(peaks, "MiB", 1), _PLAN_MEMORY_LIMIT),
    ]


def _decoration_row(world: tuple[int, int], seconds: list[float]) -> Row:
    nodes, per_node = world
    what = f"@wandb_init on a task of {nodes:,} x {per_node} ranks"
    return ceiling_row(what, Samples(seconds), _DECORATION_LIMIT)


def _decorated(nodes: int, per_node: int) -> float:
    """Return the seconds that it takes to decorate a task with all links that it can get."""
    environment: Any = ClusteredTaskEnvironment(name="measured", replicas=nodes, nproc_per_node=per_node)

    def work() -> None: ...

    task = environment.task(work)
    started = time.perf_counter()
    wandb_init(run_mode="new", rank_scope="worker")(task)
    return time.perf_counter() - started


def first_decoration(nodes: int, per_node: int) -> None:
    """Print the seconds of the first decoration of this process."""
    print(json.dumps(_decorated(nodes, per_node)))


def plan_of_a_world(nodes: int, per_node: int) -> None:
    """Print the seconds since this process was started with a preview in it, and its peak memory in MiB."""
    from flyte_wandb.cli import main

    from . import _note

    world = ["plan", "--nodes", str(nodes), "--per-node", str(per_node), "--run-mode", "new", "--rank-scope", "worker"]
    main(world, standalone_mode=False)
    print(json.dumps([time.time() - float(os.environ["STARTED"]), _note.peak()]))


def _child(code: str, folder: Path) -> Any:
    """Return what `code` prints last, in a fresh interpreter."""
    environ = os.environ | {"PYTHONPATH": str(_SOURCES), "STARTED": str(time.time())}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])
