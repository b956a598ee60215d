"""What installed plugins cost: an import, the first plan, which loads them, and a later plan."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def measure(plugins: str, calls: str, clock: str) -> dict[str, float]:
    """Measure with so many distributions.

    Args:
        plugins: How many; the built-in plugins are one of them.
        calls: How many later plans.
        clock: One of the clocks of `time`, such as "process_time".
    """
    sys.path.insert(0, str(install_plugins(Path("plugins").resolve(), int(plugins) - 1)))
    import flyte  # noqa: F401  # what the import of flyte_wandb is on top of

    now = getattr(time, clock)
    started = now()
    import flyte_wandb

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
    source = Path(__file__).with_name("plugin.txt").read_text()
    for number in range(count):
        (folder / f"plugin_{number}.py").write_text(source.format(number=number))
        info = folder / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[flyte_wandb]\nplugin-{number} = plugin_{number}\n")
    return folder
