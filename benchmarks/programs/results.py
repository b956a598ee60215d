"""What becomes of results: a download into the folder `out`, and the report's tab of a run, made from its log.

Downloads are of a run or sweep of the project `local/p`, by its id. The start of W&B's service is before the time
begins: it takes as long for everybody.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from pathlib import Path
from typing import Any, Final

import flyte
import wandb

from benchmarks._local import local_runner
from benchmarks._vitals import memory, watch_loop

from .adapter import download_wandb_run_dir, download_wandb_sweep_dirs, wandb_config

env = flyte.TaskEnvironment(name="results")
_METRICS: Final = 10


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


def inspect(name: str, text: str = "") -> dict[str, Any]:
    """Download a run: the rows of the longest history, and whether there is a file with just that text."""
    measure("run", name)
    texts = {path: path.read_text() for path in Path("out").rglob("*") if path.is_file()}
    histories = [path for path in texts if "history" in path.name and ".json" in path.name]
    lines = [texts[path].splitlines() if path.suffix == ".jsonl" else json.loads(texts[path]) for path in histories]
    return {"rows": max(map(len, lines)), "has_text": text in texts.values()}


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


DOWNLOADS: Final[dict[str, Any]] = {
    "run": lambda name: download_wandb_run_dir(name, "out"),
    "sweep": lambda name: download_wandb_sweep_dirs(name, "out"),
    "run by hand": lambda name: _run_by_hand(wandb.Api().run(f"local/p/{name}")),
    "sweep by hand": lambda name: [*map(_run_by_hand, wandb.Api().sweep(f"local/p/{name}").runs)],  # type: ignore[no-untyped-call]
}


def write_log(rows: str) -> str:
    """Have W&B's client write the log of a run, and return its path."""
    noise, count = random.Random(1), int(rows)
    run = wandb.init()
    for step in range(count):
        run.log({f"metric/{number}": math.exp(-step / count) + noise.random() for number in range(_METRICS)})
    run.finish()
    return str(Path(run.settings.sync_file).resolve())


def measure_report(log: str) -> dict[str, float]:
    """Make the tab: seconds of a core, KiB of the tab, and MiB at the peak."""
    from flyte_wandb.results.report._history import read_history
    from flyte_wandb.results.report._run_section import build_logged_sections

    started = time.process_time()
    size = sum(len(section.encode()) for section in build_logged_sections(read_history(Path(log))))
    return {"seconds": time.process_time() - started, "size": size / 1024, "peak": memory()}
