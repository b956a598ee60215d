"""The tab of a run with a long history, made from its log."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from typing import Final

from benchmarks._vitals import memory

_METRICS: Final = 10


def write_log(rows: str) -> str:
    """Have W&B's client write the log of a run, and return its path."""
    import wandb

    noise, count = random.Random(1), int(rows)
    run = wandb.init()
    for step in range(count):
        run.log({f"metric/{number}": math.exp(-step / count) + noise.random() for number in range(_METRICS)})
    run.finish()
    return str(Path(run.settings.sync_file).resolve())


def measure(log: str) -> dict[str, float]:
    """Make the tab: seconds of a core, KiB of the tab, and MiB at the peak."""
    from flyte_wandb.results.report._history import read_history
    from flyte_wandb.results.report._run_section import build_logged_sections

    started = time.process_time()
    size = sum(len(section.encode()) for section in build_logged_sections(read_history(Path(log))))
    return {"seconds": time.process_time() - started, "size": size / 1024, "peak": memory()}
