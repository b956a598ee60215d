"""Right uses, in which no type checker finds fault. Nobody imports this."""

from __future__ import annotations

from typing import Any

import flyte
import wandb
from typing_extensions import assert_type

from flyte_wandb import (
    RunMode,
    TrialOutcome,
    TrialOutcomes,
    Wandb,
    get_wandb_run,
    run_sweep,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)

env = flyte.TaskEnvironment(name="right_uses")


@wandb_init(
    on_error="offline",
    on_retry="restart",
    mode="offline",
    run_mode="acme",
    rank_scope="island:4",
    tags=("baseline", "ablation"),
    config={"lr": 0.1},
    resume="must",
    settings=wandb.Settings(quiet=True),
)
@env.task
def train(lr: float) -> float:
    return lr


@wandb_init
@env.task(retries=2)
async def train_async(lr: float, layers: int = 2) -> dict[str, float]:
    return {"loss": lr}


@wandb_init
def helper(lr: float, *, steps: int = 1) -> list[float]:
    run = get_wandb_run()
    if run is not None:
        run.log({"lr": lr})
    return [lr] * steps


@wandb_init(resume=True, tags=["baseline"], settings={"quiet": True})
async def helper_async(lr: float) -> float:
    return lr


@wandb_sweep(method="grid")
@wandb_init
@env.task
async def search(mode: RunMode = "new") -> float:
    with wandb_config(run_mode=mode, rank_scope="global", tags=["search"]), wandb_sweep_config(method="bayes"):
        return (await run_sweep(train, count=3)).best("loss", "maximize").result or 0.0


def on_number(trial: TrialOutcome[float]) -> None: ...


async def on_losses(trial: TrialOutcome[dict[str, float]]) -> None: ...


async def on_any(trial: TrialOutcome) -> None: ...


async def calls(unknown: Any) -> None:
    assert_type(train(0.1), float)
    assert_type(await train_async(0.1, layers=3), dict[str, float])
    assert_type(helper(0.1, steps=3), list[float])
    assert_type(await helper_async(0.1), float)
    assert_type(await search(), float)
    assert_type(await run_sweep(train, on_trial=on_number), TrialOutcomes[float])
    assert_type(await run_sweep(train_async, on_trial=on_losses), TrialOutcomes[dict[str, float]])
    assert_type((await run_sweep(train))[0].result, float | None)
    assert_type((await run_sweep(train_async)).best(), TrialOutcome[dict[str, float]])
    await run_sweep(unknown, on_trial=on_any)
    trials: list[TrialOutcome[object]] = list(await run_sweep(train))
    assert_type(trials[0].parameters["lr"], Any)
    links = (Wandb(project="vision", run_mode="acme"), Wandb(mode="offline", rank_scope="worker"))
    assert_type(links, tuple[Wandb, Wandb])
