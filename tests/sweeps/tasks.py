"""Tasks that the suite runs through the real `a0` entry point: importable, each under its function's name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import flyte
import wandb
from flyte.clustered import ClusteredTaskEnvironment
from wandb.agents.pyagent import Agent

from flyte_wandb import get_distributed_info, get_wandb_run, get_wandb_sweep_id, wandb_init, wandb_sweep
from tests.current import this_run

env = flyte.TaskEnvironment(name="sweeps_in_containers")
cluster = ClusteredTaskEnvironment(name="trials_in_a_cluster", replicas=2, nproc_per_node=2)


@wandb_init
def objective() -> None:
    run = this_run()
    assert wandb.run is run
    wandb.log({"loss": run.config.x})


@wandb_sweep
@env.task
def agent(count: int) -> str:
    """Do some trials with an agent of W&B's."""
    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    wandb.agent(sweep_id, function=objective, count=count)
    return sweep_id


def work(x: int, scale: float) -> int:
    """Log where this rank has a run, and leave a note of what it was given."""
    info, run = get_distributed_info(), get_wandb_run()
    assert info is not None
    seen: dict[str, Any] = {"inputs": [x, scale], "run": run and run.id}
    if run is not None:
        run.log({"rank": info["rank"]})
        seen["config"] = run.config.x
    Path(f"rank-{info['rank']}.json").write_text(json.dumps(seen))
    return x


@wandb_init
@cluster.task
def ranked(x: int, scale: float) -> int:
    return work(x, scale)


@wandb_init
@env.task
async def waits(x: int) -> int:
    """Say that it waits to be ended from outside."""
    print("waiting", flush=True)
    await asyncio.Event().wait()
    return x
