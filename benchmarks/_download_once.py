"""One download in this process: ``python -m benchmarks._download_once HOW PATH`` prints what it measured."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import wandb

from flyte_wandb import download_wandb_run_dir, download_wandb_run_logs, download_wandb_sweep_dirs

from ._gap import ticking


def _by_hand(run: Any) -> None:
    folder = Path("out", run.id)
    folder.mkdir(parents=True)
    (folder / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in run.scan_history(use_cache=False)))
    (folder / "system.json").write_text(json.dumps(run.history(stream="system", samples=10_000, pandas=False)))
    (folder / "config.json").write_text(json.dumps(run.config))
    (folder / "summary.json").write_text(json.dumps(run.summary_metrics))
    for file in run.files():
        file.download(str(folder))


def _sweep_by_hand(path: str) -> None:
    for run in wandb.Api().sweep(path).runs:  # type: ignore[no-untyped-call]
        _by_hand(run)


async def _in_the_loop(path: str) -> float:
    async with ticking() as gap:
        await download_wandb_run_logs(path)
    return gap.longest


def _timed(call: Callable[[str], Any]) -> Callable[[str], float]:
    def timed(path: str) -> float:
        started = time.perf_counter()
        call(path)
        return time.perf_counter() - started

    return timed


def _peak(path: str) -> float:
    """Return the MiB at the peak, of this process alone: what `resource` tells begins with its parent's."""
    download_wandb_run_dir(path, "out")
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


_HOW: Final[dict[str, Callable[[str], float]]] = {
    "run": _timed(lambda path: download_wandb_run_dir(path, "out")),
    "run-by-hand": _timed(lambda path: _by_hand(wandb.Api().run(path))),
    "sweep": _timed(lambda path: download_wandb_sweep_dirs(path, "out")),
    "sweep-by-hand": _timed(_sweep_by_hand),
    "loop": lambda path: asyncio.run(_in_the_loop(path)),
    "peak": _peak,
}

if __name__ == "__main__":
    wandb.Api()  # starts W&B's service, which takes as long for everybody
    print(_HOW[sys.argv[1]](sys.argv[2]))
