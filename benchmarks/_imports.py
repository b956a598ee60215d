"""`from flyte_wandb import wandb_init` against `import flyte`, each in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from rich.progress import Progress

from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ratio_row
from ._samples import Samples, alternated

_CHILD: Final = """
import sys, time
before = set(sys.modules)
started = time.perf_counter()
{statement}
took = time.perf_counter() - started
names = sorted(set(sys.modules) - before)
import json, resource
try:
    # Where Linux offers it: ru_maxrss would start at the peak of the process that started this one.
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
except OSError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([took, peak / 1024, names]))
"""
_TIME_LIMIT: Final = 1.25
_MEMORY_LIMIT: Final = 1.15


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import in one interpreter: seconds of the import and of the process, MiB of its peak, modules it loaded."""

    import_time: float
    process_time: float
    peak: float
    modules: frozenset[str]


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure times, memory and what is loaded beyond flyte itself."""
    # The package by itself loads next to nothing; what a task's module pays for is its decorator.
    statements = ("from flyte_wandb import wandb_init", "import flyte")
    arms = [partial(imported, statement, folder) for statement in statements]
    for warm_up in arms:
        warm_up()
    ours, flyte = alternated(counts.imports, arms, ticker(progress, "imports", counts.imports))
    return [
        _ratio("import wandb_init / import flyte: the import", "import_time", ours, flyte),
        _ratio("import wandb_init / import flyte: the whole process", "process_time", ours, flyte),
        _ratio("import wandb_init / import flyte: peak memory", "peak", ours, flyte),
        _loaded(ours, flyte),
    ]


def imported(statement: str, folder: Path, python: str = sys.executable) -> Import:
    """Run one statement that imports in a fresh interpreter of `python`."""
    started = time.perf_counter()
    command = [python, "-c", _CHILD.format(statement=statement)]
    result = subprocess.run(command, cwd=folder, env=_environ(folder), capture_output=True, text=True, check=True)
    process_time = time.perf_counter() - started
    import_time, peak, modules = json.loads(result.stdout)
    return Import(import_time=import_time, process_time=process_time, peak=peak, modules=frozenset(modules))


def _environ(folder: Path) -> dict[str, str]:
    """Both arms find compiled modules, whether or not this environment keeps Python from writing them."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "pycache")}


def _ratio(what: str, field: str, ours: list[Import], flyte: list[Import]) -> Row:
    unit, scale, limit = ("MiB", 1.0, _MEMORY_LIMIT) if field == "peak" else ("ms", 1e3, _TIME_LIMIT)
    one, other = (Samples([getattr(each, field) for each in arm], unit, scale) for arm in (ours, flyte))
    return ratio_row(what, one, other, limit)


def _loaded(ours: list[Import], flyte: list[Import]) -> Row:
    """Say what only the import of `wandb_init` loads, and whether it is free of what is to wait until it is used."""
    added = frozenset.union(*(one.modules for one in ours)) - frozenset.intersection(*(one.modules for one in flyte))
    packages = {name.partition(".")[0] for name in added} - sys.stdlib_module_names
    plugins = {entry.module.partition(".")[0] for entry in entry_points(group="flyte_wandb")}
    return Row(
        what="packages that only import wandb_init loads",
        ours=", ".join(sorted(packages)),
        result=f"{len(added)} modules more",
        limit="no wandb, torch, rich, plugin",
        repetitions=len(ours),
        ok=not packages & ({"wandb", "torch", "rich"} | plugins),
    )
