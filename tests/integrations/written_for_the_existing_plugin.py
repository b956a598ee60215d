"""Programs as people write them for flyteplugins-wandb, with the import changed: all kinds that its examples show."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import flyte
import flyte.io
import wandb

from flyte_wandb import (
    Wandb,
    WandbSweep,
    download_wandb_run_dir,
    download_wandb_sweep_dirs,
    get_wandb_context,
    get_wandb_run,
    get_wandb_run_dir,
    get_wandb_sweep_id,
    wandb_config,
    wandb_init,
    wandb_sweep,
)

PLACE: Any = {"project": "vision", "entity": "team"}
env = flyte.TaskEnvironment(name="as_before")


# Parents and children: one run, runs of their own, settings for some of them.
@wandb_init
@env.task
async def evaluates(x: int) -> str:
    run: Any = get_wandb_run()
    run.log({"evaluated": x})
    return str(run.id)


@wandb_init(run_mode="new")
@env.task
async def stands_alone(x: int) -> str:
    run: Any = get_wandb_run()
    run.log({"alone": x})
    return str(run.id)


@flyte.trace
async def traced(x: int) -> int:
    run: Any = get_wandb_run()
    run.log({"traced": x})
    return x


@wandb_init(**PLACE, tags=["parent"], config={"lr": 0.1})
@env.task
async def trains() -> dict[str, str]:
    run: Any = get_wandb_run()
    await traced(3)
    below = {"shared": await evaluates(1), "new": await stands_alone(2)}
    with wandb_config(project="elsewhere", tags=["inside"]):
        below["elsewhere"] = await stands_alone(4)
    return {"own": str(run.id), **below}


# Runs and sweeps that the program opens itself; its links are written by hand.
@env.task
async def opens_its_run(rate: float, run_id: str) -> str:
    # `create_new`, because W&B would hand out the run of the task above, which local mode has in the same process.
    run = wandb.init(**PLACE, id=run_id, config={"rate": rate}, tags=["by-hand"], reinit="create_new")
    for epoch in range(3):
        run.log({"epoch": epoch, "loss": 1 / rate})
    run.finish()
    return run.id


@env.task(links=(Wandb(**PLACE, run_mode="new"),))
async def opens_its_run_by_the_names_of_flyte() -> str:
    action: Any = flyte.ctx().action
    run = wandb.init(**PLACE, id=f"{action.run_name}-{action.name}")
    run.log({"loss": 1})
    run.finish()
    return run.id


@env.task(links=(Wandb(**PLACE, run_mode="new", id="above"),))
async def opens_all_runs() -> list[str]:
    run = wandb.init(**PLACE, id="above", tags=["by-hand"])
    run.log({"above": 1})
    children = [
        await opens_its_run.override(links=(Wandb(**PLACE, id=name),))(rate=rate, run_id=name)
        for name, rate in (("below-1", 0.1), ("below-2", 0.2))
    ]
    run.finish()
    return [run.id, *children]


def objective_by_hand() -> None:
    run: Any = wandb.run or wandb.init()
    run.log({"loss": run.config.lr})


@env.task
async def agent_by_hand(sweep_id: str, count: int) -> int:
    wandb.agent(sweep_id, function=objective_by_hand, count=count, project="vision", entity="team")
    return count


@env.task(links=(WandbSweep(**PLACE),))
async def searches_by_hand() -> str:
    search = {"method": "grid", "parameters": {"lr": {"values": [1, 2, 3, 4]}}}
    sweep_id: Any = wandb.sweep(sweep=search, **PLACE)
    linked = agent_by_hand.override(links=(WandbSweep(**PLACE, id=sweep_id),))
    await asyncio.gather(*(linked(sweep_id=sweep_id, count=2) for _ in range(2)))
    return str(sweep_id)


# Sweeps of the decorator: agents in parallel and one after the other, downloads by setting and by hand.
@wandb_init
def objective() -> None:
    run: Any = wandb.run
    assert get_wandb_run_dir() == run.dir
    for epoch in range(2):
        run.log({"epoch": epoch, "loss": run.config.lr / (epoch + 1)})


@wandb_sweep
@env.task
async def agent(number: int, sweep_id: str, count: int) -> int:
    context: Any = get_wandb_context()
    wandb.agent(sweep_id, function=objective, count=count, project=context.project)
    return number


@wandb_sweep(download_logs=True)
@env.task
async def searches_in_parallel(agents: int, count: int) -> str:
    sweep_id = str(get_wandb_sweep_id())
    options: Any = {"resources": flyte.Resources(cpu="2"), "retries": 3, "timeout": timedelta(minutes=30)}
    calls = (agent.override(**options)(number=number, sweep_id=sweep_id, count=count) for number in range(agents))
    await asyncio.gather(*calls)
    return sweep_id


@wandb_sweep(download_logs=False)
@env.task
def agent_alone(number: int, sweep_id: str, count: int) -> int:
    context: Any = get_wandb_context()
    wandb.agent(sweep_id, function=objective, count=count, project=context.project)
    return number


@wandb_sweep
@env.task
def searches_in_turn(agents: int, count: int) -> list[flyte.io.Dir]:
    sweep_id = str(get_wandb_sweep_id())
    for number in range(agents):
        agent_alone(number=number, sweep_id=sweep_id, count=count)
    return [flyte.io.Dir.from_local_sync(folder) for folder in download_wandb_sweep_dirs(sweep_id=sweep_id)]


# Folders: that of the run while it goes on, and all of it afterwards.
@wandb_init(**PLACE)
@env.task
async def writes_a_file() -> str:
    run: Any = get_wandb_run()
    run.log({"loss": 0.5})
    Path(str(get_wandb_run_dir()), "weights.txt").write_text("w")
    run.save(f"{get_wandb_run_dir()}/weights.txt", base_path=get_wandb_run_dir(), policy="end")
    return str(run.id)


@env.task
async def reads_what_another_task_wrote(folder: str) -> float:
    run_id = await writes_a_file()
    with wandb_config(**PLACE):
        return await asyncio.to_thread(download_loss, run_id, folder)


def download_loss(run_id: str, folder: str) -> float:
    found = Path(download_wandb_run_dir(run_id=run_id, path=folder))
    return float(json.loads((found / "summary.json").read_text())["loss"])
