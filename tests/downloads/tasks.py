"""Tasks that run in processes of their own, each under its function's name."""

from __future__ import annotations

import flyte
import flyte.io

from flyte_wandb.results.downloads._after_task import bring_home
from flyte_wandb.results.downloads._reference import Reference

env = flyte.TaskEnvironment(name="apart")


@env.task
def home_apart() -> str:
    bring_home(Reference(id="r1", project="p"))
    return "done"
