"""The length of a history that is downloaded: seconds, and the peak memory of the process that downloads."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from ._growth_rows import CONSTANT, LINEAR, Cost
from ._progress import ticker
from ._soak.double import double

SIZES: Final = (1_000, 5_000, 20_000, 100_000, 400_000, 1_000_000)
_ROOT: Final = Path(__file__).resolve().parents[1]
_folders = itertools.count()


def measured(folder: Path, progress: Progress) -> list[Cost]:
    """Measure a fresh process for each length, once for the time and once for the memory."""
    tick = ticker(progress, "history", len(SIZES))
    times, peaks = [], []
    with double() as server:
        environ = {**server.get_environ(), "WANDB_MODE": "online"}
        for size in SIZES:
            server.put_history(f"rows-{size}", "p", size)
            times.append(fetched(folder, environ, "run", f"rows-{size}"))
            peaks.append(fetched(folder, environ, "peak", f"rows-{size}"))
            tick()
    common: dict[str, Any] = {"of": "rows", "sizes": SIZES}
    return [
        Cost(what="downloading a history: time", values=times, unit="s", expected=LINEAR, **common),
        Cost(what="downloading a history: peak memory", values=peaks, unit="MiB", expected=CONSTANT, **common),
    ]


def fetched(folder: Path, environ: dict[str, str], how: str, what: str) -> float:
    """Return what a fresh process has measured of a download; see `_download_once`."""
    own = folder / f"fetched-{next(_folders)}"
    own.mkdir()
    command = [sys.executable, "-m", "benchmarks._download_once", how, f"local/p/{what}"]
    environ = {**os.environ, **environ, "PYTHONPATH": str(_ROOT)}
    result = subprocess.run(command, cwd=own, env=environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return float(result.stdout.splitlines()[-1])
