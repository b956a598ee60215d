"""Sweeps that exist already, searches that end early, and what earlier attempts of a task have done."""

from __future__ import annotations

import asyncio
from typing import Any

import flyte
import pytest

from flyte_wandb import (
    SettingError,
    SweepError,
    TrialOutcomes,
    get_wandb_sweep_id,
    run_sweep,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)
from flyte_wandb.links._link import WandbSweep
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run

env = flyte.TaskEnvironment(name="existing")
pytestmark = pytest.mark.usefixtures("online")
BEAT = 0.05
GRID: Any = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"x": {"values": [1, 2, 3, 4]}}}
ENDLESS: Any = {**GRID, "method": "random", "parameters": {"x": {"value": 5}}}


@wandb_init
@env.task
async def train(x: int) -> int:
    this_run().log({"loss": x})
    if x == 2:
        raise ValueError("2 is a bad number")
    return x


@env.task
async def searches(named: str) -> list[int]:
    return sorted(trial.parameters["x"] for trial in await run_sweep(train, sweep=named, heartbeat=BEAT))


@env.task
async def searches_by_config() -> list[int]:
    return sorted(trial.parameters["x"] for trial in await run_sweep(train, heartbeat=BEAT))


NAMES = {"path": "local/search/{id}", "of the project": "search/{id}", "page": "{url}/local/search/sweeps/{id}"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_run_sweep_goes_on_with_a_sweep_that_exists_wherever_the_context_is(
    name: str, online: WandbServer, run_local: LocalRun
) -> None:
    sweep_id = online.put_sweep(GRID, project="search")
    context = {**wandb_config(project="elsewhere"), **wandb_sweep_config(**ENDLESS)}
    assert run_local(searches, name.format(id=sweep_id, url=online.url), context=context) == [1, 2, 3, 4]
    assert [(run.project, run.sweep) for run in online.runs] == [("search", sweep_id)] * 4
    assert len(online.sweeps) == 1


def test_so_it_does_by_its_id_in_the_context(online: WandbServer, run_local: LocalRun) -> None:
    sweep_id = online.put_sweep(GRID, project="search")
    context = {**wandb_config(project="search"), **wandb_sweep_config(id=sweep_id)}
    assert run_local(searches_by_config, context=context) == [1, 2, 3, 4]
    assert [sweep.id for sweep in online.sweeps] == [sweep_id]


@wandb_sweep(id="local/search/sweep1")
@env.task
async def decorated() -> tuple[str | None, int]:
    return get_wandb_sweep_id(), len(await run_sweep(train, heartbeat=BEAT))


def test_and_below_a_task_that_is_decorated_with_its_id(online: WandbServer, run_local: LocalRun) -> None:
    assert online.put_sweep(GRID, project="search") == "sweep1"
    assert run_local(decorated) == ("sweep1", 4)
    (link,) = decorated.links
    assert isinstance(link, WandbSweep)
    assert (link.id, link.spec.settings) == ("sweep1", {"project": "search", "entity": "local"})


@pytest.mark.parametrize(
    ("name", "context", "message"),
    [
        ("local/search/gone", {}, "a request to W&B failed for the sweep 'gone': "),
        ("a/b/c/d", {}, "'a/b/c/d' is not a sweep of W&B; write its id, ENTITY/PROJECT/ID, or the address of its page"),
        (
            "https://w.example/a/b/runs/r1",
            {},
            "'https://w.example/a/b/runs/r1' names a run of W&B; write the name of a",
        ),
        (
            "sweep1",
            wandb_sweep_config(id="sweep1", method="grid", prior_runs=["r1"]),
            "id='sweep1' names an existing sweep, and W&B has its configuration; remove method, prior_runs from",
        ),
    ],
)
def test_a_name_that_cannot_be_used_is_an_error_before_any_work(
    name: str, context: dict[str, str], message: str, online: WandbServer, run_local: LocalRun
) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(searches, name, context=context)
    assert str(refused.value).startswith(message)
    assert (online.sweeps, online.runs) == ((), ())


def test_a_decorator_refuses_a_name_that_is_none() -> None:
    with pytest.raises(SettingError, match="is not a sweep of W&B"):
        wandb_sweep(id="a//b")(searches_one)


SEEN: list[list[int]] = []
EARLIER: list[TrialOutcomes] = []


def saw_two(trials: TrialOutcomes) -> bool:
    SEEN.append([trial.parameters["x"] for trial in trials])
    return len(trials) >= 2


async def saw_two_slowly(trials: TrialOutcomes) -> bool:
    await asyncio.sleep(0)
    return saw_two(trials)


@env.task
async def stops_early(slowly: bool) -> int:
    stop_when = saw_two_slowly if slowly else saw_two
    return len(await run_sweep(train, stop_when=stop_when, max_parallel=1, heartbeat=BEAT))


@pytest.mark.parametrize("slowly", [False, True])
def test_a_search_ends_early_by_what_its_trials_have_come_to(
    slowly: bool, online: WandbServer, run_local: LocalRun
) -> None:
    """It needs no other end, and counts on all trials that have ended."""
    SEEN.clear()
    context = {**wandb_config(project="search"), **wandb_sweep_config(**ENDLESS)}
    assert run_local(stops_early, slowly, context=context) == 2
    assert (SEEN, len(online.runs)) == ([[5], [5, 5]], 2)


MEETING: list[asyncio.Event] = []


@wandb_init
@env.task
async def meets(x: int) -> int:
    if x == 2:
        await MEETING[0].wait()
    return x


@env.task
async def stops_beside() -> list[str]:
    def first_is_done(trials: TrialOutcomes) -> bool:
        MEETING[0].set()
        return True

    MEETING[:] = [asyncio.Event()]
    return [trial.state for trial in await run_sweep(meets, stop_when=first_is_done, max_parallel=2, heartbeat=BEAT)]


def test_trials_that_run_when_a_search_ends_early_are_awaited(online: WandbServer, run_local: LocalRun) -> None:
    states = run_local(stops_beside, context={**wandb_config(project="search"), **wandb_sweep_config(**GRID)})
    assert states == ["finished"] * len(online.runs)
    assert len(online.runs) in (2, 3), "an agent may have asked already"


@env.task(retries=2)
async def is_tried_again(named: str | None) -> list[int]:
    """Do three trials in the first attempt, one in the second, and none in the third."""
    count = min(3 + len(EARLIER), 4)
    EARLIER.append(await run_sweep(train, sweep=named, count=count, max_parallel=1, heartbeat=BEAT))
    if len(EARLIER) < 3:
        raise ValueError("again")
    return [trial.parameters["x"] for trial in EARLIER[-1]]


@pytest.mark.parametrize("exists", [False, True])
def test_trials_of_earlier_attempts_count(exists: bool, online: WandbServer, run_local: LocalRun) -> None:
    """Those of others in the same sweep do not."""
    EARLIER.clear()
    context = {**wandb_config(project="search"), **wandb_sweep_config(**GRID)}
    named = online.put_sweep({**GRID, "parameters": {"x": {"values": [9, 1, 2, 3, 4]}}}, project="search")
    run_local(searches_one, f"search/{named}", name="others")
    assert run_local(is_tried_again, f"search/{named}" if exists else None, context=context) == [1, 2, 3, 4]
    first, second, third = EARLIER
    assert [len(first), len(second), len(third)] == [3, 4, 4]
    assert [trial.number for trial in third] == [0, 1, 2, 3]
    assert [trial.state for trial in third] == ["finished", "failed", "finished", "finished"]
    assert [trial.result for trial in second] == [None, None, None, 4]
    for before, after in ((first[:3], second[:3]), (second, third)):
        facts = [
            [(one.run_id, one.parameters, one.state, dict(one.summary), one.url) for one in part]
            for part in (before, after)
        ]
        assert facts[0] == facts[1]
    assert (third.best().parameters, len(online.runs)) == ({"x": 1}, 5)


@env.task
async def searches_one(named: str) -> int:
    return len(await run_sweep(train, sweep=named, count=1, heartbeat=BEAT))


@env.task(retries=1)
async def stops_again() -> list[int]:
    trials = await run_sweep(train, stop_when=saw_two, max_parallel=1, heartbeat=BEAT)
    if len(SEEN) == 2:
        raise SweepError("again")
    return [trial.parameters["x"] for trial in trials]


def test_a_search_that_was_over_in_an_earlier_attempt_asks_for_nothing_more(
    online: WandbServer, run_local: LocalRun
) -> None:
    SEEN.clear()
    context = {**wandb_config(project="search"), **wandb_sweep_config(**GRID)}
    assert run_local(stops_again, context=context) == [1, 2]
    assert SEEN == [[1], [1, 2], [1, 2]]
    assert (len(online.runs), online.requests["CreateAgent"]) == (2, 1)
