"""Wrong uses, which a type checker finds before a task runs. Nobody imports this.

The comment of a line has the rule by which mypy refuses it, and that of pyright.
"""

# ruff: noqa: B015, B018

from __future__ import annotations

from typing import Any

import flyte

from flyte_wandb import (
    TrialOutcome,
    TrialOutcomes,
    Wandb,
    get_wandb_run,
    run_sweep,
    sync_wandb_runs,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)

env = flyte.TaskEnvironment(name="wrong_uses")


def undecorated(lr: float) -> float:
    return lr


@wandb_init(project="vision")
@env.task
def train(lr: float) -> float:
    return lr


@wandb_init
@env.task
async def train_async(lr: float) -> dict[str, float]:
    return {"loss": lr}


@wandb_init(config={"lr": 0.1})
def helper(lr: float) -> float:
    return lr


def takes_texts(trial: TrialOutcome[str]) -> None: ...


async def settings() -> None:
    wandb_init(on_error="ofline")  # call-overload, reportArgumentType
    wandb_init(on_error=True)  # call-overload, reportArgumentType
    wandb_init(on_retry="again")  # call-overload, reportArgumentType
    wandb_init(mode="shared")  # call-overload, reportArgumentType
    wandb_init(resume="yes")  # call-overload, reportArgumentType
    wandb_init(tags="baseline")  # call-overload, reportArgumentType
    wandb_init(tags=1)  # call-overload, reportArgumentType
    wandb_init(run_mode=1)  # call-overload, reportArgumentType
    wandb_init(projct="vision")  # call-overload, reportCallIssue
    wandb_init(reinit=True)  # call-overload, reportCallIssue
    wandb_init("vision")  # call-overload, reportArgumentType
    wandb_config(on_error="ofline")  # arg-type, reportArgumentType
    wandb_config(tags="baseline")  # arg-type, reportArgumentType
    wandb_config(report="yes")  # arg-type, reportArgumentType
    wandb_config(projct="vision")  # call-arg, reportCallIssue
    wandb_sweep_config(method="bayesian")  # arg-type, reportArgumentType
    wandb_sweep_config(prior_runs="run-1")  # arg-type, reportArgumentType
    wandb_sweep(method="bayesian")  # call-overload, reportArgumentType
    wandb_sweep(undecorated)  # call-overload, reportArgumentType
    Wandb(joinable="no")  # arg-type, reportArgumentType
    sync_wandb_runs(at_once="4")  # arg-type, reportArgumentType


async def calls() -> None:
    train("0.1")  # arg-type, reportArgumentType
    train(learning_rate=0.1)  # call-arg, reportCallIssue
    helper("0.1")  # arg-type, reportArgumentType
    (await train_async(0.1)).loss  # attr-defined, reportAttributeAccessIssue
    get_wandb_run().log({"loss": 1})  # union-attr, reportOptionalMemberAccess


async def sweeps(trials: TrialOutcomes[float]) -> None:
    await run_sweep(undecorated)  # call-overload, reportArgumentType
    await run_sweep(helper)  # call-overload, reportArgumentType
    await run_sweep("train")  # call-overload, reportArgumentType
    await run_sweep(train, count="50")  # call-overload, reportArgumentType
    await run_sweep(train, on_trial=takes_texts)  # arg-type, reportArgumentType
    for outcome in await run_sweep(train):
        outcome.result.foo  # union-attr, reportAttributeAccessIssue
        outcome.result + 1  # operator, reportOptionalOperand
        outcome.state == "succeeded"  # comparison-overlap, reportUnnecessaryComparison
    for other in await run_sweep(train_async):
        other.result.loss  # union-attr, reportAttributeAccessIssue
    trials.best(goal="minimise")  # arg-type, reportArgumentType
    trials[0].parameter  # attr-defined, reportAttributeAccessIssue
    texts: TrialOutcomes[str] = trials  # assignment, reportAssignmentType
    anything: TrialOutcome[Any] = texts  # assignment, reportAssignmentType
    takes_texts(anything)
