"""One download into the folder `out`, of a run or sweep of the project `local/p`, by its id.

The start of W&B's service is before the time begins: it takes as long for everybody.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Final

import flyte
import wandb

from benchmarks._local import local_runner
from benchmarks._vitals import memory, watch_loop

from .adapter import download_wandb_run_dir, download_wandb_sweep_dirs, wandb_config

env = flyte.TaskEnvironment(name="downloads")


@env.task
def download(what: str, name: str) -> float:
    """Download, and return the seconds."""
    started = time.perf_counter()
    DOWNLOADS[what](name)
    return time.perf_counter() - started


def measure(what: str, name: str) -> dict[str, float]:
    """Download in a task: the seconds, and the MiB at the peak of this process."""
    wandb.Api()
    context = dict(wandb_config(project="p", entity="local").items())
    seconds = local_runner(Path.cwd())(download, what, name, context=context)
    return {"seconds": seconds, "peak": memory()}


def measure_block(name: str) -> dict[str, float]:
    """Download a run in an event loop: how long that was blocked at most."""
    from flyte_wandb import download_wandb_run_logs

    wandb.Api()
    _, block = asyncio.run(watch_loop(download_wandb_run_logs(f"local/p/{name}")))
    return {"block": block}


def _run_by_hand(run: Any) -> None:
    folder = Path("out", run.id)
    folder.mkdir(parents=True)
    (folder / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in run.scan_history(use_cache=False)))
    (folder / "system.json").write_text(json.dumps(run.history(stream="system", samples=10_000, pandas=False)))
    (folder / "config.json").write_text(json.dumps(run.config))
    (folder / "summary.json").write_text(json.dumps(run.summary_metrics))
    for file in run.files():
        file.download(str(folder))


def _sweep_by_hand(name: str) -> None:
    for run in wandb.Api().sweep(f"local/p/{name}").runs:  # type: ignore[no-untyped-call]
        _run_by_hand(run)


DOWNLOADS: Final[dict[str, Any]] = {
    "run": lambda name: download_wandb_run_dir(name, "out"),
    "sweep": lambda name: download_wandb_sweep_dirs(name, "out"),
    "run by hand": lambda name: _run_by_hand(wandb.Api().run(f"local/p/{name}")),
    "sweep by hand": _sweep_by_hand,
}
