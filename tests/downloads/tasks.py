"""Tasks that run in processes of their own, each under its function's name."""

from __future__ import annotations

import flyte
import flyte.io

from flyte_wandb.results.downloads._after_task import download_after_task
from flyte_wandb.results.downloads._reference import Reference

env = flyte.TaskEnvironment(name="apart")


@env.task
def home_apart() -> str:
    download_after_task(Reference(id="r1", project="p"))
    return "done"
