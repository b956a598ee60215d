"""One download in a task: ``run ID`` or ``sweep ID``; the seconds without the start of W&B's service."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import flyte
import wandb

from benchmarks._local import local_runner

from .adapter import download_wandb_run_dir, download_wandb_sweep_dirs, wandb_config

env = flyte.TaskEnvironment(name="download")


@env.task
def download(what: str, name: str) -> float:
    """Download into the folder `out`."""
    started = time.perf_counter()
    if what == "run":
        download_wandb_run_dir(name, "out")
    else:
        download_wandb_sweep_dirs(name, "out")
    return time.perf_counter() - started


if __name__ == "__main__":
    wandb.Api()
    context = dict(wandb_config(project="p", entity="local").items())
    print(json.dumps(local_runner(Path.cwd())(download, sys.argv[1], sys.argv[2], context=context)))
