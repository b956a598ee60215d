"""Tasks of one process: many at once with runs of their own, and many children that write to their parent's run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import flyte
from rich.progress import Progress

from flyte_wandb import wandb_init

from . import _note
from ._children import crowd
from ._growth_rows import LINEAR, Cost
from ._local import local_runner
from ._progress import ticker

AT_ONCE: Final = (1, 2, 5, 10, 25, 50, 100, 200)
CHILDREN: Final = (1, 4, 16, 64, 256, 1_024)
_SOURCES: Final = Path(__file__).resolve().parents[1]
_CHILD: Final = "from benchmarks._growth_tasks import tell; tell({})"

env = flyte.TaskEnvironment(name="grown_tasks")


@wandb_init
@env.task
async def child(number: int) -> int:
    """Write to the parent's run."""
    return number


@wandb_init
@env.task
async def parent(count: int) -> float:
    """Call children one after the other, and return the seconds that they took."""
    started = time.perf_counter()
    for number in range(count):
        await child(number)
    return time.perf_counter() - started


def tell(count: int) -> None:
    """Print what so many tasks at once take here: seconds, threads, and MiB at the peak above those of one."""
    run = local_runner(Path.cwd())
    run(crowd, "tracked", 1)
    before = _note.peak()
    wall, _ = run(crowd, "tracked", count)
    print(json.dumps([wall, threading.active_count(), max(_note.peak() - before, 0.1)]))


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure a fresh process for each number of tasks at once, and in this process the children of one parent."""
    tick = ticker(progress, "tasks", len(AT_ONCE) + len(CHILDREN))
    crowds = []
    for size in AT_ONCE:
        crowds.append(_crowd(folder, size))
        tick()
    run = local_runner(folder)
    run(parent, 1)
    times = []
    for size in CHILDREN:
        times.append(run(parent, size))
        tick()
    walls, threads, memory = ([one[place] for one in crowds] for place in range(3))
    common: dict[str, Any] = {"of": "tasks", "sizes": AT_ONCE, "expected": LINEAR}
    return [
        Cost(what="tasks at once, a run each: time", values=walls, unit="ms", scale=1e3, **common),
        Cost(what="tasks at once: threads afterwards", values=threads, unit="threads", **common),
        Cost(what="tasks at once: peak memory above one", values=memory, unit="MiB", **common),
        Cost(
            what="children in their parent's run, one after the other: time",
            of="children",
            sizes=CHILDREN,
            values=times,
            unit="ms",
            scale=1e3,
            expected=LINEAR,
        ),
    ]


def _crowd(folder: Path, count: int) -> Any:
    own = folder / f"at-once-{count}"
    own.mkdir()
    environ = os.environ | {"PYTHONPATH": str(_SOURCES), "WANDB_DIR": str(own), "HOME": str(own)}
    command = [sys.executable, "-c", _CHILD.format(count)]
    result = subprocess.run(command, cwd=own, env=environ, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])
