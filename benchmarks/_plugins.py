"""What five installed plugins cost: an import, a task's start, a plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ceiling_row, difference_row, ratio_row
from ._samples import Samples, alternated

_SOURCES: Final = Path(__file__).resolve().parents[1]
_IMPORT_LIMIT: Final = 1.1
_LOAD_LIMIT: Final = 20e-3
_PLAN_LIMIT: Final = 150e-6
_CHILD: Final = "from benchmarks._plugins import tell; tell({})"
_PLUGIN: Final = """
from flyte_wandb import hookimpl

@hookimpl
def locate_rank(request):
    return None

@hookimpl
def choose_initializer(request, part):
    return None

@hookimpl(wrapper=True)
def compute_run_id(request):
    run_id = yield
    return f"{{run_id}}-{number}"

@hookimpl
def contribute_run_settings(request):
    return {{"tags": ["plugin-{number}"]}}

@hookimpl
def run_finished(plan, run, error):
    pass
"""


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure fresh interpreters that find five plugins, and ones that find none."""
    for number in range(5):
        install(folder / "plugins", number)
    arms = [partial(told, folder, counts.batch, folder / "plugins"), partial(told, folder, counts.batch, None)]
    for warm_up in arms:
        warm_up()
    five, none = alternated(counts.starts, arms, ticker(progress, "five plugins", counts.starts))
    imports, loads, plans = ([one[place] for one in five] for place in range(3))
    return [
        ratio_row("import wandb_init, five plugins / none", Samples(imports), _first(none), _IMPORT_LIMIT),
        difference_row("loading them, five plugins - none", Samples(loads), _second(none), _LOAD_LIMIT),
        ceiling_row("plan() for one rank, five plugins", Samples(plans, "us", 1e6), _PLAN_LIMIT),
    ]


def _first(told: list[Any]) -> Samples:
    return Samples([one[0] for one in told])


def _second(told: list[Any]) -> Samples:
    return Samples([one[1] for one in told])


def tell(calls: int) -> None:
    """Print the seconds of the import, of loading the plugins, and of one plan."""
    import flyte  # noqa: F401  # what the import of flyte_wandb is on top of

    started = time.perf_counter()
    import flyte_wandb
    from flyte_wandb import wandb_init  # noqa: F401  # what a task's module pays for

    imported = time.perf_counter()
    request = flyte_wandb.Request(run_name="r1", action_name="a0", settings=flyte_wandb.Settings(run_mode="new"))
    flyte_wandb.plan(request)
    loaded = time.perf_counter()
    for _ in range(calls):
        flyte_wandb.plan(request)
    print(json.dumps([imported - started, loaded - imported, (time.perf_counter() - loaded) / calls]))


def install(folder: Path, number: int) -> None:
    """Put a plugin into a folder of the import path, as an installer would."""
    folder.mkdir(exist_ok=True)
    (folder / f"plugin_{number}.py").write_text(_PLUGIN.format(number=number))
    info = folder / f"plugin_{number}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[flyte_wandb]\nplugin-{number} = plugin_{number}\n")


def told(folder: Path, calls: int, plugins: Path | None, child: str = _CHILD) -> Any:
    """Return what the child prints in a fresh interpreter that finds the plugins of a folder."""
    path = os.pathsep.join(map(str, filter(None, (plugins, _SOURCES))))
    command = [sys.executable, "-c", child.format(calls)]
    environ = os.environ | {"PYTHONPATH": path}
    result = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])
