"""What a process pays before it does anything, in one that has loaded hardly anything: an import, and plugins."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks._vitals import memory

if TYPE_CHECKING:
    from pathlib import Path


def time_import(modules: str) -> dict[str, Any]:
    """Import modules, given with commas between them: seconds, MiB at the peak, the names of all that is loaded.

    ``module:name`` gets a name of it, too: flyte_wandb loads what stands behind a name when it is asked for.
    """
    before, started = set(sys.modules), time.perf_counter()
    for each in modules.split(","):
        module, _, name = each.partition(":")
        getattr(import_module(module), name or "__name__")
    took, loaded = time.perf_counter() - started, sorted(set(sys.modules) - before)
    return {"seconds": took, "peak": memory(), "modules": loaded, "loaded": float(len(loaded))}


def time_plugins(plugins: str, calls: str, clock: str) -> dict[str, float]:
    """Measure so many distributions, the built-in one among them, and so many later plans, by a clock of `time`."""
    from pathlib import Path

    sys.path.insert(0, str(install_plugins(Path("plugins").resolve(), int(plugins) - 1)))
    import flyte  # noqa: F401  # what the import of flyte_wandb is on top of

    now = getattr(time, clock)
    started = now()
    import flyte_wandb
    from flyte_wandb import wandb_init  # noqa: F401  # what a task's module pays for

    imported = now()
    request = flyte_wandb.Request(run_name="r1", action_name="a0", settings=flyte_wandb.Settings(run_mode="new"))
    flyte_wandb.plan(request)
    loaded = now()
    for _ in range(int(calls)):
        flyte_wandb.plan(request)
    return {"import": imported - started, "load": loaded - imported, "plan": (now() - loaded) / int(calls)}


def install_plugins(folder: Path, count: int) -> Path:
    """Put plugins into a new folder of the import path, as an installer would, and return the folder."""
    folder.mkdir()
    source = (type(folder)(__file__).parent / "plugin.txt").read_text()
    for number in range(count):
        (folder / f"plugin_{number}.py").write_text(source.format(number=number))
        info = folder / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[flyte_wandb]\nplugin-{number} = plugin_{number}\n")
    return folder
