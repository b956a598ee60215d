"""A task of many ranks, for every launcher: importable, under its function's name."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import get_distributed_info, get_wandb_run, wandb_init
from tests.current import this_run

clustered = ClusteredTaskEnvironment(name="clustered", replicas=2, nproc_per_node=2)
plain = flyte.TaskEnvironment(name="plain")


def work(steps: int) -> str:
    """Log a few rows where this rank has a run, and leave a note of what it saw."""
    info, run = get_distributed_info(), get_wandb_run()
    assert info is not None
    rank = info["rank"]
    if run is not None:
        print(f"rank {rank} was here")
        for step in range(steps):
            run.log({"rank": rank, "step": step})
    seen = {"info": info, "run": run and run.id, "loaded": sorted({"wandb", "torch"} & set(sys.modules))}
    Path(f"rank-{rank}.json").write_text(json.dumps(seen))
    return f"rank {rank}"


@wandb_init
@clustered.task
def ranked(steps: int) -> str | None:
    return work(steps)


@wandb_init
@plain.task
def undeclared(steps: int) -> str | None:
    """Of ranks that nothing but their variables tells apart."""
    return work(steps)


@wandb_init(run_mode="new", rank_scope="worker")
@clustered.task
async def decorated(steps: int) -> str | None:
    return work(steps)


@wandb_init
@clustered.task
def fails(which: int, how: str) -> str | None:
    """Have one rank fail after its work; the others end well."""
    said = work(2)
    if get_distributed_info()["rank"] == which:  # type: ignore[index]
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError("the loss is not a number")
    return said


def hold(steps: int) -> str:
    """Work, tell what `wandb` shows, and wait for a line in this rank's pipe: ``kill`` ends the process."""
    said = work(steps)
    rank = get_distributed_info()["rank"]  # type: ignore[index]
    if "wandb" in sys.modules:
        import wandb

        Path(f"globals-{rank}.json").write_text(json.dumps(wandb.run and wandb.run.id))
    with open(f"pipe-{rank}") as pipe:
        if pipe.readline().strip() == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    return said


@wandb_init
@clustered.task
def held(steps: int) -> str | None:
    return hold(steps)


@wandb_init
@plain.task
def parent(run_mode: str) -> str:
    """Call a task of two ranks as the control plane would."""
    from flyte_wandb.testing import run_ranks

    run = this_run()
    environ = {name: os.environ[name] for name in ("WANDB_BASE_URL", "WANDB_API_KEY")}
    context = {**flyte.get_custom_context(), "wandb_run_mode": run_mode}
    options: dict[str, Any] = {"folder": Path.cwd(), "environ": environ, "context": context, "action_name": "a1"}
    results = run_ranks(ranked, inputs={"steps": 1}, **options)
    assert [result.error for result in results] == [None, None]
    return run.id
