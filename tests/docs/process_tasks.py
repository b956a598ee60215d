"""The task whose code runs in all ways of process_ways."""

from __future__ import annotations

import flyte

from flyte_wandb import wandb_init
from tests.docs.process_ways import WAYS

env = flyte.TaskEnvironment(name="process_ways")


@wandb_init
@env.task
def tries_all_ways() -> list[list[str]]:
    return [way(str(number)) for number, way in enumerate(WAYS.values())]
