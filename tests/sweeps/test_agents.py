"""`wandb.agent` in tasks of Flyte's local mode: its trials get runs of their own and harm nobody else's."""

from __future__ import annotations

import asyncio
import builtins
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import (
    get_wandb_run,
    get_wandb_sweep_id,
    run_sweep,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)
from flyte_wandb.runs._registry import OPEN_RUNS
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.remote import run_action
from tests.sweeps.trials import begun_trials
from tests.versions import HANGS

env = flyte.TaskEnvironment(name="agents")
pytestmark = pytest.mark.usefixtures("quick_agents", "online")
GRID: Any = {"method": "grid", "parameters": {"x": {"values": [1, 2, 3]}}}
HERE = {**wandb_config(project="vision"), **wandb_sweep_config(**GRID)}

EXAMPLE = """
from flyte_wandb import wandb_sweep, wandb_sweep_config, get_wandb_sweep_id

@wandb_init
def objective():
    # Training logic - this runs for each sweep trial
    run = get_wandb_run()
    config = run.config  # Sweep parameters are passed via run.config

    # Train with sweep-suggested hyperparameters
    model = train(lr=config.lr, batch_size=config.batch_size)
    wandb.log({"loss": loss, "accuracy": accuracy})

@wandb_sweep
@env.task
def run_sweep():
    sweep_id = get_wandb_sweep_id()

    # Launch sweep agents to run trials
    # count=10 means run 10 trials total
    wandb.agent(sweep_id, function=objective, count=10)
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever an agent did, the process is afterwards as it was."""
    functions = wandb.agent, wandb.init, wandb.teardown
    yield
    assert (wandb.agent, wandb.init, wandb.teardown) == functions
    assert {name for name in os.environ if name in ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_PROJECT")} == set()
    assert len(OPEN_RUNS) == 0
    assert wandb.run is None


def agent(function: Any, count: int = 1) -> None:
    sweep_id = get_wandb_sweep_id()
    assert sweep_id is not None
    wandb.agent(sweep_id, function=function, count=count)


def test_the_example_of_the_documentation(online: WandbServer, run_local: LocalRun) -> None:
    trained: list[tuple[float, int]] = []

    def train(lr: float, batch_size: int) -> None:
        trained.append((lr, batch_size))

    names: dict[str, Any] = {"wandb_init": wandb_init, "get_wandb_run": get_wandb_run, "wandb": wandb, "env": env}
    names |= {"__name__": __name__, "train": train, "loss": 0.5, "accuracy": 0.9}
    exec(EXAMPLE, names)
    config = wandb_sweep_config(
        method="bayes",
        metric={"name": "loss", "goal": "minimize"},
        parameters={"lr": {"min": 1e-5, "max": 1e-2}, "batch_size": {"values": [16, 32]}},
        project="my-project",
    )
    run_local(names["run_sweep"], context=config)
    (sweep,) = online.sweeps
    runs = begun_trials(online, sweep)
    assert (sweep.project, len(runs), sweep.agents) == ("my-project", 10, 1)
    assert [(run.config["lr"], run.config["batch_size"]) for run in runs] == trained
    assert {(run.state, run.sweep, run.project) for run in runs} == {("finished", sweep.id, "my-project")}
    assert [run.history for run in runs] == [({"loss": 0.5, "accuracy": 0.9, "_step": 0},)] * 10


SEEN: list[dict[str, Any]] = []


@wandb_init(tags=["of the objective"])
def objective() -> None:
    run = this_run()
    SEEN.append({"id": run.id, "x": run.config.x, "global": wandb.run is run})
    wandb.log({"loss": run.config.x})
    if run.config.x == 2:
        raise ValueError("2 is a bad number")


@wandb_sweep
@wandb_init
@env.task
def sweep_above() -> str:
    return with_a_run_of_its_own()


@wandb_init
@wandb_sweep
@env.task
def sweep_below() -> str:
    return with_a_run_of_its_own()


def with_a_run_of_its_own() -> str:
    run = this_run()
    run.log({"own": "before"})
    agent(objective, count=3)
    assert this_run() is run
    run.log({"own": "after"})
    return run.id


@wandb_init
@env.task
async def next_task() -> bool:
    run = this_run()
    wandb.log({"next": 1})
    return wandb.run is run and get_wandb_sweep_id() is None


@pytest.mark.parametrize("task", [sweep_above, sweep_below], ids=["above", "below"])
def test_a_decorated_objective_gets_its_trial_and_the_task_keeps_its_run(
    task: Any, online: WandbServer, run_local: LocalRun
) -> None:
    SEEN.clear()
    own = online.run(run_local(task, context=HERE))
    (sweep,) = online.sweeps
    trials = begun_trials(online, sweep)
    assert [{"id": run.id, "x": x, "global": True} for x, run in zip((1, 2, 3), trials, strict=True)] == SEEN
    assert [(run.state, run.exit_code) for run in trials] == [("finished", 0), ("failed", 1), ("finished", 0)]
    assert [(run.sweep, run.config, run.tags) for run in trials] == [
        (sweep.id, {"x": x}, ("of the objective",)) for x in (1, 2, 3)
    ]
    assert [run.logged("loss") for run in trials] == [[1], [2], [3]]
    assert (own.logged("own"), own.logged("loss"), own.state, own.sweep) == (["before", "after"], [], "finished", None)
    assert run_local(next_task, context=HERE) is True
    assert [run.logged("next") for run in online.runs][-1] == [1]


@wandb_init
@wandb_sweep
@env.task
async def fails_after_its_agent() -> None:
    await asyncio.to_thread(agent, opens_a_run_itself)
    raise ValueError("after the agent")


def opens_a_run_itself() -> None:
    assert wandb.run is None, "the run of the task is not the trial's"
    with wandb.init(project="ignored in a sweep") as run:
        assert wandb.run is run
        SEEN.append({"id": run.id, "x": run.config.x})
        wandb.log({"loss": run.config.x})


def test_an_objective_that_opens_its_run_itself_never_gets_that_of_the_task(
    online: WandbServer, run_local: LocalRun
) -> None:
    SEEN.clear()
    with pytest.raises(flyte.errors.RuntimeUserError, match="after the agent"):
        run_local(fails_after_its_agent, context=HERE)
    (sweep,) = online.sweeps
    (trial,) = begun_trials(online, sweep)
    assert [{"id": trial.id, "x": 1}] == SEEN
    assert (trial.state, trial.sweep, trial.logged("loss"), trial.config["x"]) == ("finished", sweep.id, [1], 1)
    (own,) = (run for run in online.runs if run.sweep is None)
    assert (own.state, own.history, own.config.get("x")) == ("failed", (), None)


@wandb_sweep
@env.task
def does_nothing() -> bool:
    agent(lambda: None)
    return wandb.run is None


def test_a_run_that_the_user_has_open_is_not_ended_by_an_agent(run_local: LocalRun) -> None:
    with wandb.init(project="mine", mode="offline") as mine:
        assert run_local(does_nothing, context=HERE) is True
        assert wandb.run is mine
        wandb.log({"mine": 1})
        assert mine.summary["mine"] == 1


OBJECTIVE_RUNS, SIBLING_RUNS, DONE = threading.Event(), threading.Event(), threading.Event()
MEETINGS = (OBJECTIVE_RUNS, SIBLING_RUNS, DONE)


@pytest.fixture
def meetings() -> None:
    for event in MEETINGS:
        event.clear()


@wandb_sweep
@env.task
def meets() -> None:
    agent(objective_that_meets)


def objective_that_meets() -> None:
    with wandb.init() as run:
        OBJECTIVE_RUNS.set()
        assert SIBLING_RUNS.wait(90)
        assert wandb.run is run
        wandb.log({"loss": 1})
        assert wandb.run is run
    DONE.set()


@wandb_init
@env.task
def sibling() -> str:
    run = this_run()
    run.log({"sibling": 1})
    SIBLING_RUNS.set()
    assert DONE.wait(90)
    assert this_run() is run
    run.log({"sibling": 2})
    return run.id


@env.task
async def both() -> str:
    sweeping = asyncio.create_task(meets.aio())
    assert await asyncio.to_thread(OBJECTIVE_RUNS.wait, 90)
    found = await sibling.aio()
    await sweeping
    return str(found)


@pytest.mark.usefixtures("meetings")
def test_a_sibling_beside_an_agent_keeps_its_run_and_leaves_the_trials_alone(
    online: WandbServer, run_local: LocalRun
) -> None:
    of_sibling = online.run(run_local(both, context=HERE))
    assert (of_sibling.logged("sibling"), of_sibling.state, of_sibling.sweep) == ([1, 2], "finished", None)
    (trial,) = begun_trials(online, online.sweeps[0])
    assert (trial.logged("loss"), trial.state) == ([1], "finished")


ACTIVE: list[str | None] = []
MOST: list[int] = []


@wandb_init
def counted() -> None:
    ACTIVE.append(this_run().id)
    MOST.append(len(ACTIVE))
    wandb.log({"loss": 1})
    ACTIVE.remove(this_run().id)


@wandb_sweep
@env.task
def takes_its_turn(number: int) -> str | None:
    agent(counted, count=2)
    return get_wandb_sweep_id()


@env.task
async def two_of_one_project() -> list[str | None]:
    return list(await asyncio.gather(takes_its_turn.aio(1), takes_its_turn.aio(2)))


def test_the_agents_of_two_tasks_take_turns(online: WandbServer, run_local: LocalRun) -> None:
    MOST.clear()
    sweeps = run_local(two_of_one_project, context=HERE)
    assert sorted(sweeps) == [sweep.id for sweep in online.sweeps]
    assert MOST == [1] * 4
    trials = [begun_trials(online, sweep) for sweep in online.sweeps]
    assert [[run.state for run in of_sweep] for of_sweep in trials] == [["finished"] * 2] * 2


@wandb_sweep
@env.task
def holds_on() -> str | None:
    OBJECTIVE_RUNS.set()
    assert DONE.wait(90)
    agent(counted)
    return get_wandb_sweep_id()


@wandb_init
@env.task
async def trial_of_an_action(x: int) -> int:
    this_run().log({"loss": x})
    return x


@wandb_sweep
@env.task
async def runs_actions() -> str | None:
    await run_sweep(trial_of_an_action, heartbeat=0.05)
    return get_wandb_sweep_id()


@env.task
async def of_three_projects() -> list[str | None]:
    """The first one holds on until the others have ended, and goes on then."""
    first = asyncio.create_task(holds_on.aio())
    assert await asyncio.to_thread(OBJECTIVE_RUNS.wait, 90)
    found = []
    for project, task in (("text", takes_its_turn.aio(2)), ("audio", runs_actions())):
        with wandb_sweep_config(project=project):
            found.append(await task)
    DONE.set()
    return [*found, await first]


@pytest.mark.usefixtures("meetings")
@pytest.mark.parametrize("project", ["vision", None])
def test_sweeps_of_several_projects_go_on_side_by_side(
    project: str | None, online: WandbServer, run_local: LocalRun
) -> None:
    found = run_local(of_three_projects, context=wandb_sweep_config(project=project, **GRID))
    sweeps = {sweep.project: sweep for sweep in online.sweeps}
    assert [sweeps[name].id for name in ("text", "audio", project or "uncategorized")] == found
    begun = {name: begun_trials(online, sweep) for name, sweep in sweeps.items()}
    assert {name: len(runs) for name, runs in begun.items()} == {"text": 2, "audio": 3, project or "uncategorized": 1}
    states = {(run.state, run.project) for run in online.runs if run.state != "pending"}
    assert states == {("finished", name) for name in sweeps}


@wandb_sweep
@wandb_init
@env.task
def left(error: str) -> None:
    raise getattr(builtins, error)


@wandb_sweep
@wandb_init
@env.task
async def left_async(error: str) -> None:
    raise getattr(builtins, error)


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (left, MemoryError),
        pytest.param(left, KeyboardInterrupt, marks=HANGS),
        (left_async, MemoryError),
        (left_async, KeyboardInterrupt),
    ],
)
def test_what_leaves_the_body_restores_everything(
    task: Any, error: type[BaseException], online: WandbServer, tmp_path: Path
) -> None:
    with pytest.raises(error):
        asyncio.run(run_action(task, error=error.__name__, folder=tmp_path, context=HERE))
    assert [(run.state, run.exit_code) for run in online.runs] == [("failed", 1)]


WAITING = asyncio.Event()


@wandb_init
@wandb_sweep
@env.task
async def waits() -> None:
    WAITING.set()
    await asyncio.Event().wait()


def test_a_task_that_is_cancelled_restores_everything(online: WandbServer, tmp_path: Path) -> None:
    async def cancelled() -> bool:
        WAITING.clear()
        task = asyncio.ensure_future(run_action(waits, folder=tmp_path, context=HERE))
        await WAITING.wait()
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(cancelled())
    assert [(run.state, run.exit_code) for run in online.runs] == [("failed", 1)]
