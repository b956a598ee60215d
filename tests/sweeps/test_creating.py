"""Sweeps that tasks create in Flyte's local mode: once, found again by another attempt, or not at all."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import flyte
import pytest

from flyte_wandb import (
    SweepError,
    get_wandb_sweep_context,
    get_wandb_sweep_id,
    run_sweep,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="creating")
GRID: Any = {"method": "grid", "parameters": {"x": {"values": [1, 2]}}}
HERE = {**wandb_config(project="vision"), **wandb_sweep_config(**GRID)}


def action_id() -> str:
    context = flyte.ctx()
    assert context
    return f"{context.action.run_name}-{context.action.name}"


@wandb_sweep
@env.task
def sync_child() -> str | None:
    return get_wandb_sweep_id()


@wandb_sweep(project="ignored-for-the-sweep-is-there", name="ignored")
@env.task
async def async_child() -> str | None:
    return get_wandb_sweep_id()


@env.task
async def undecorated_child() -> str | None:
    return get_wandb_sweep_id()


@wandb_sweep(prior_runs=["r0-a0", "r0-a1"], description="the first")
@env.task
async def parent() -> tuple[str, list[str | None]]:
    config = get_wandb_sweep_context()
    assert config is not None
    assert (config.method, config.description) == ("grid", None)
    children = [await sync_child.aio(), await async_child(), await undecorated_child(), get_wandb_sweep_id()]
    return action_id(), children


def test_a_sweep_is_created_once_and_children_work_for_it(online: WandbServer, run_local: LocalRun) -> None:
    online.put_run("r0-a0", project="vision")
    name, children = run_local(parent, context=HERE)
    (sweep,) = online.sweeps
    assert children == [sweep.id] * 4
    assert (sweep.project, sweep.config["name"], sweep.display_name) == ("vision", name, name)
    assert (sweep.prior_runs, sweep.config["description"]) == (("r0-a0", "r0-a1"), "the first")
    assert {**sweep.config, **GRID} == sweep.config
    assert online.requests["UpsertSweep"] == 1


VALUES = ["008", "1e-3", "yes", "null", "a: b", "it's", "two\nlines", 1e-05, 0.5, 10**20, True, None, [1, "1"]]
RANGES: dict[str, Any] = {
    "whole": {"min": 1, "max": 4},
    "real": {"min": 0.0, "max": 1.0},
    "named": {"min": 1, "max": 4, "distribution": "uniform"},
    "texts": {"values": VALUES},
    "deep": {"parameters": {"lr": {"min": 0.0, "max": 1.0}}},
}


def test_a_configuration_arrives_as_it_is_with_the_distributions_of_its_ranges(
    online: WandbServer, run_local: LocalRun
) -> None:
    run_local(sync_child, context={**HERE, **wandb_sweep_config(method="random", parameters=RANGES)})
    distributions = {"whole": "int_uniform", "real": "uniform"}
    assert online.sweeps[0].config["parameters"] == {
        name: {**entry, **({"distribution": distributions[name]} if name in distributions else {})}
        for name, entry in RANGES.items()
    }


def test_a_range_of_which_nobody_knows_the_type_is_an_error(online: WandbServer, run_local: LocalRun) -> None:
    context = {**HERE, **wandb_sweep_config(method="random", parameters={"lr": {"min": 0, "max": 0.1}})}
    with pytest.raises(
        flyte.errors.RuntimeUserError, match=r"the ends of the parameter 'lr', 0 and 0\.1, are not both"
    ):
        run_local(sync_child, context=context)
    assert online.sweeps == ()


def test_the_name_is_the_users_where_there_is_one(online: WandbServer, run_local: LocalRun) -> None:
    for _ in range(2):
        run_local(sync_child, context={**HERE, **wandb_sweep_config(name="of all", project="search")})
    assert [(sweep.project, sweep.display_name) for sweep in online.sweeps] == [("search", "of all")] * 2
    assert online.requests["GetSweeps"] == 0, "a name of the user's may be that of another task's sweep"


SEEN: list[str | None] = []


@wandb_sweep
@env.task(retries=1)
def fails_once() -> str | None:
    SEEN.append(get_wandb_sweep_id())
    if len(SEEN) == 1:
        raise ValueError("the first attempt")
    return get_wandb_sweep_id()


@pytest.mark.parametrize("context", [HERE, wandb_sweep_config(**GRID)], ids=["project", "no-project"])
def test_another_attempt_finds_the_sweep_of_the_one_before(
    context: dict[str, str], online: WandbServer, run_local: LocalRun
) -> None:
    SEEN.clear()
    online.put_sweep(GRID, project="vision")
    found = run_local(fails_once, context=context)
    assert [found, found] == SEEN
    assert len(online.sweeps) == 2


def test_a_sweep_of_that_name_that_has_ended_is_not_taken_up_again(online: WandbServer, run_local: LocalRun) -> None:
    SEEN[:] = [None]
    first = run_local(fails_once, context=HERE)
    online.end_sweep(first, "FINISHED")
    assert run_local(fails_once, context=HERE) != first
    assert len(online.sweeps) == 2


@wandb_init
@env.task
def train(x: int) -> int:
    return x


@env.task
async def undecorated() -> int:
    return len(await run_sweep(train, heartbeat=0.05))


@pytest.mark.parametrize("task", [sync_child, async_child, undecorated], ids=["sync", "async", "run_sweep"])
@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_there_are_no_sweeps_without_a_server(
    mode: str, task: Any, online: WandbServer, run_local: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "run_sweep" if task is undecorated else task.name
    message = (
        f"{name} needs a sweep, but W&B is {mode} here, and only its server picks the parameters; set "
        "WANDB_MODE=online (or mode='online')"
    )
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(task, context={**HERE, **wandb_config(settings={"mode": mode})})
    assert str(refused.value) == message
    monkeypatch.setenv("WANDB_MODE", mode)
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(task, context=HERE)
    assert str(refused.value) == message
    assert online.requests == Counter()


@pytest.mark.parametrize("task", [sync_child, undecorated], ids=["wandb_sweep", "run_sweep"])
@pytest.mark.parametrize(
    ("given", "missing"), [({}, "method and parameters"), ({"method": "grid"}, "parameters")], ids=["nothing", "method"]
)
def test_a_sweep_with_nothing_to_search_is_an_error(
    given: Any, missing: str, task: Any, online: WandbServer, run_local: LocalRun
) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(task, name="r7", context=wandb_sweep_config(project="vision", **given))
    assert str(refused.value) == (
        f"the sweep 'r7-{action_of(refused)}' has nothing to search: {missing} not set; set them with "
        "wandb_sweep_config(...) in with_runcontext(custom_context=...), or in wandb_sweep(...)"
    )
    assert online.requests == Counter()


def action_of(refused: pytest.ExceptionInfo[BaseException]) -> str:
    return str(refused.value).partition("'r7-")[2].partition("'")[0]


def test_a_configuration_that_the_server_refuses_is_an_error_with_its_words(
    online: WandbServer, run_local: LocalRun
) -> None:
    context = {**HERE, **wandb_sweep_config(method="custom", entity="team")}
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(sync_child, name="r7", context=context)
    message = str(refused.value)
    assert message.startswith(
        f"W&B did not create the sweep 'r7-{action_of(refused)}' (project 'vision') at {online.url}: "
    )
    assert "Invalid sweep config: the sweep's method is 'custom'; use one of" in message
    assert "\n" not in message


def test_a_key_that_the_server_does_not_know_is_an_error(
    online: WandbServer, run_local: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(sync_child, name="r7", context=HERE)
    assert str(refused.value).startswith(
        f"W&B did not create the sweep 'r7-{action_of(refused)}' (project 'vision') at {online.url}: "
        "AuthenticationError: "
    )


def test_outside_of_flyte_there_is_no_sweep() -> None:
    with pytest.raises(SweepError) as refused:
        sync_child.forward()
    assert str(refused.value) == ("creating.sync_child was called outside of Flyte; run it with flyte.run")


@wandb_sweep
@env.task
def environment_inside() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}


def test_the_process_is_afterwards_as_it_was(online: WandbServer, run_local: LocalRun) -> None:
    run_local(tracked)
    before = dict(os.environ)
    assert "WANDB_SERVICE" in before
    inside = run_local(environment_inside, context=HERE)
    assert (inside["WANDB_PROJECT"], inside["WANDB_ENTITY"]) == ("vision", "local")
    assert dict(os.environ) == before
    run_local(tracked, name="r2")
    assert [run.project for run in online.runs] == ["uncategorized"] * 2


@wandb_init
@env.task
def tracked() -> None:
    run = this_run()
    run.log({"loss": 1})
