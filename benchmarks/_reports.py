"""The tab of a run with a long history: how much processor time it takes, how much memory, and how large it is.

The log is written by W&B's client once; each tab is made in a fresh process.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Final

import wandb
from rich.progress import Progress

from ._counts import Counts
from ._progress import ticker
from ._rows import Row, ceiling_row, difference_row
from ._samples import Samples, alternated

_SHORT, _LONG = 2_000, 200_000
_METRICS: Final = 10
_SECONDS_LIMIT: Final = 5.0
_MEMORY_LIMIT: Final = 16.0
_SIZE_LIMIT: Final = 256.0
_ROOT: Final = Path(__file__).resolve().parents[1]


def measured(counts: Counts, folder: Path, progress: Progress) -> list[Row]:
    """Measure the tab of a long and a short history."""
    logs = [_written(rows) for rows in (_LONG, _SHORT)]
    arms = [partial(_made, log) for log in logs]
    long, short = alternated(counts.reports, arms, ticker(progress, "reports", counts.reports))
    name = f"the report's tab of {_LONG:,} rows of {_METRICS} metrics"
    return [
        ceiling_row(f"{name}: processor time", Samples([one["seconds"] for one in long], "s", 1), _SECONDS_LIMIT),
        ceiling_row(f"{name}: size", Samples([one["KiB"] for one in long], "KiB", 1), _SIZE_LIMIT),
        difference_row(
            f"{name} - of {_SHORT:,}: peak memory",
            Samples([one["MiB"] for one in long], "MiB", 1),
            Samples([one["MiB"] for one in short], "MiB", 1),
            _MEMORY_LIMIT,
        ),
    ]


def _written(rows: int) -> Path:
    noise = random.Random(1)
    run = wandb.init(id=f"report-{rows}", reinit="create_new")
    for step in range(rows):
        run.log({f"metric/{number}": math.exp(-step / rows) + noise.random() for number in range(_METRICS)})
    run.finish()
    return Path(run.settings.sync_file).resolve()


def _made(log: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks._report_once", str(log)]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return found
