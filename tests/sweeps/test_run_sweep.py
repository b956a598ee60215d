"""`run_sweep` in Flyte's local mode, counted on the server."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import (
    RunStoppedError,
    SweepError,
    TrialOutcome,
    run_sweep,
    wandb_config,
    wandb_init,
    wandb_sweep,
    wandb_sweep_config,
)
from flyte_wandb.plans._inherited import read_run
from flyte_wandb.sweeps._run_sweep import LEAST_HEARTBEAT, MOST_MISSED
from flyte_wandb.testing import RunRecord, WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.remote import run_action

env = flyte.TaskEnvironment(name="run_sweep")
pytestmark = pytest.mark.usefixtures("online")
BEAT = 0.05
GRID: Any = {"method": "grid", "parameters": {"x": {"values": [1, 2, 3]}}}
HERE = {**wandb_config(project="vision"), **wandb_sweep_config(**GRID)}


OUTCOMES: list[TrialOutcome] = []
"""What the last `sweep_of` returned; a task could not return errors."""


async def sweep_of(task: Any, **options: Any) -> list[str]:
    """Run a sweep and return the states of its trials."""
    OUTCOMES.clear()
    OUTCOMES.extend(await run_sweep(task, **{"heartbeat": BEAT, **options}))
    return [trial.state for trial in OUTCOMES]


def runs_of(server: WandbServer) -> list[RunRecord]:
    (sweep,) = server.sweeps
    return [server.run(run_id) for run_id in sweep.run_ids]


WITHIN: list[int] = []
MOST: list[int] = []
ATTEMPTS: Counter[int] = Counter()


@wandb_init
@env.task
async def evaluate(x: int) -> str:
    this_run().log({"child": x})
    return str(this_run().id)


@wandb_init(tags=["trial"])
@env.task(retries=1)
async def train(x: int, scale: float, offset: float = 0.0) -> float:
    WITHIN.append(x)
    MOST.append(len(WITHIN))
    if len(WITHIN) == 4:
        FOUR.set()
    try:
        await FOUR.wait()
        return await work(x, scale + offset)
    finally:
        WITHIN.remove(x)


async def work(x: int, scale: float) -> float:
    ATTEMPTS[x] += 1
    this_run().log({"loss": x * scale})
    assert await evaluate(x) == this_run().id
    if x == 13:
        raise ValueError("13 is a bad number")
    if x == 17 and ATTEMPTS[x] == 1:
        raise ValueError("17 is bad at first")
    if x == 19:
        STOPPED.set()
        await asyncio.Event().wait()
    return x * scale


FOUR, STOPPED = asyncio.Event(), asyncio.Event()


async def early_termination(server: WandbServer) -> None:
    """End the trial that does not come to its end by itself."""
    await STOPPED.wait()
    (run,) = (run for run in server.runs if run.sweep and run.config["x"] == 19)
    server.stop_trial(run.id)


TOLD: list[int] = []


@wandb_sweep
@wandb_init
@env.task
async def twenty() -> str:
    this_run().log({"own": "before"})
    stop = asyncio.create_task(early_termination(SERVER[0]))
    await sweep_of(
        train, count=20, max_parallel=4, inputs={"scale": 0.5}, on_trial=lambda trial: TOLD.append(trial.number)
    )
    await stop
    this_run().log({"own": "after"})
    return str(this_run().id)


SERVER: list[WandbServer] = []


def test_twenty_trials_four_at_a_time_one_failing_one_retried_one_stopped_early(
    online: WandbServer, run_local: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    for seen in (WITHIN, MOST, ATTEMPTS, TOLD):
        seen.clear()
    SERVER[:] = [online]
    parameters = {"x": {"values": list(range(1, 31))}}
    search = wandb_sweep_config(method="grid", parameters=parameters, metric={"name": "loss", "goal": "maximize"})
    own = online.run(run_local(twenty, context={**wandb_config(project="vision"), **search}))
    (sweep,) = online.sweeps
    runs = {run.id: run for run in runs_of(online)}
    assert [one.number for one in OUTCOMES] == list(range(20)) == sorted(TOLD)
    assert {one.run_id for one in OUTCOMES} == set(runs)
    assert sorted(one.parameters["x"] for one in OUTCOMES) == list(range(1, 21))
    assert (max(MOST), sweep.agents, sweep.state) == (4, 4, "RUNNING")
    for one in OUTCOMES:
        check_trial(one, runs[one.run_id], sweep.id)
    assert (own.logged("own"), own.logged("loss"), own.sweep, own.state) == (["before", "after"], [], None, "finished")
    assert len(online.runs) == 21
    check_screen(capsys.readouterr().err, sweep.id)


def check_screen(text: str, sweep_id: str) -> None:
    """Check the line of each trial, and the table of the best ones behind them."""
    assert max(map(len, text.splitlines())) <= 80
    lines = " ".join(text[text.index("trial ") :].partition("best trials")[0].split())
    assert sorted(re.split(r" (?=trial \d+/20, |sweep )", lines)) == sorted(
        [*map(line_of, OUTCOMES), f"sweep {sweep_id}: 20 trials, 18 finished, 1 failed, 1 stopped"]
    )
    heading, *rows = [line.split() for line in text.partition("(maximize loss)")[2].splitlines() if line.split()]
    assert heading == ["trial", "loss", "parameters", "run"]
    best = sorted((one for one in OUTCOMES if one.state == "finished"), key=lambda one: -one.parameters["x"])[:5]
    assert rows[1:] == [
        [str(one.number + 1), f"{one.summary['loss']:g}", f"x={one.parameters['x']}", one.run_id] for one in best
    ]


ENDS: dict[int, tuple[str, str, int]] = {
    13: ("failed", "RuntimeUserError: 13 is a bad number", 1),
    19: ("stopped", "CancelledError: ", 1),
}


def check_trial(one: TrialOutcome, run: RunRecord, sweep: str) -> None:
    x = one.parameters["x"]
    state, error, exit_code = ENDS.get(x, ("finished", "", 0))
    assert (one.state, f"{type(one.error).__name__}: {one.error}" if one.error else "") == (state, error)
    assert (run.state, run.exit_code) == ("failed" if exit_code else "finished", exit_code)
    assert ATTEMPTS[x] == (2 if x in (13, 17) else 1)
    tags = ("trial", "attempt-2") if ATTEMPTS[x] == 2 else ("trial",)
    assert (run.sweep, run.tags, run.project, run.url) == (sweep, tags, "vision", one.url)
    assert (run.logged("loss"), run.logged("child")) == ([x / 2] * ATTEMPTS[x], [x] * ATTEMPTS[x])
    assert (run.resumed, run.restarted) == (ATTEMPTS[x] - 1, 0)
    assert one.result == (None if error else x / 2)
    assert dict(one.summary) == {"loss": x / 2, "child": x}


def line_of(one: TrialOutcome) -> str:
    x = one.parameters["x"]
    line = f"trial {one.number + 1}/20, run {one.run_id}: {one.state}, loss {x / 2:g}, with x={x}"
    return line + (f", error {type(one.error).__name__}: {one.error}".removesuffix(": ") if one.error else "")


@wandb_init
@env.task
async def plain(x: int) -> int:
    this_run().log({"x": x})
    return x


@env.task
async def whole_grid() -> list[str]:
    return await sweep_of(plain)


def test_without_a_count_a_grid_is_done_to_its_end(online: WandbServer, run_local: LocalRun) -> None:
    """The task is not decorated: `run_sweep` creates its sweep."""
    assert run_local(whole_grid, context=HERE) == ["finished"] * 3
    (sweep,) = online.sweeps
    assert (sweep.state, sweep.agents, sweep.project) == ("FINISHED", 4, "vision")
    assert sorted(trial.result or 0 for trial in OUTCOMES) == [1, 2, 3]


@env.task
async def collects(options: dict[str, int]) -> list[str]:
    return await sweep_of(plain, **options)


ENDLESS = wandb_sweep_config(method="random", parameters={"x": {"values": [1, 2]}}, project="vision")


def test_a_cap_of_wandbs_is_an_end_as_well(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(collects, {}, context={**ENDLESS, **wandb_sweep_config(run_cap=2)}) == ["finished"] * 2
    assert len(online.runs) == 2


def test_a_sweep_that_never_ends_is_an_error_before_any_trial(online: WandbServer, run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError) as refused:
        run_local(collects, {}, context=ENDLESS)
    assert str(refused.value) == (
        "run_sweep() without count= would never end: the sweep 'sweep1' of method 'random' has no run_cap; set one of "
        "the two"
    )
    assert (online.runs, online.requests["CreateAgent"]) == ((), 0)


def test_parameters_that_the_task_does_not_take_are_an_error_before_any_trial(
    online: WandbServer, run_local: LocalRun
) -> None:
    context = {**HERE, **wandb_sweep_config(parameters={"x": {"values": [1]}, "lr": {"values": [1]}})}
    with pytest.raises(flyte.errors.RuntimeUserError, match=r"the task 'run_sweep\.plain' does not take lr: "):
        run_local(collects, {}, context=context)
    assert (online.runs, online.requests["CreateAgent"]) == ((), 0)


def test_fewer_trials_than_agents_need_fewer_agents(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(collects, {"count": 1, "max_parallel": 20}, context=HERE) == ["finished"]
    assert online.sweeps[0].agents == 1


@wandb_init(run_mode="new")
@env.task
async def nested() -> list[str]:
    """A tracked task whose trials are not its children."""
    with wandb_sweep_config(**GRID):
        return [*await sweep_of(plain), this_run().id]


def test_a_trial_does_not_join_the_run_of_the_task_that_starts_it(online: WandbServer, run_local: LocalRun) -> None:
    *states, own = run_local(nested, context=wandb_config(project="vision"))
    assert states == ["finished"] * 3
    assert online.run(own).history == ()
    assert [run.logged("x") for run in runs_of(online)] == [[1], [2], [3]]
    assert [run.group for run in runs_of(online)] == [None] * 3


@wandb_init(run_mode="new")
@env.task
async def new_child(x: int) -> str:
    return str(this_run().id)


@wandb_init
@env.task
async def has_a_child(x: int) -> str:
    return await new_child(x)


@env.task
async def of_parents() -> list[str]:
    await sweep_of(has_a_child)
    return [str(trial.result) for trial in OUTCOMES]


def test_a_task_below_a_trial_is_no_trial(online: WandbServer, run_local: LocalRun) -> None:
    children = [online.run(run_id) for run_id in run_local(of_parents, context=HERE)]
    assert [(child.sweep, child.config.get("x")) for child in children] == [(None, None)] * 3
    assert [run.writers[0].rows for run in runs_of(online)] == [0] * 3
    assert len(online.runs) == 6


@env.task
async def place_of_the_run_above(x: int) -> list[str]:
    context = flyte.ctx()
    assert context
    above = read_run(context.custom_context)
    assert above
    return [above.run_id, *map(str, (above.project, above.entity, above.host))]


@wandb_init
@env.task
async def asks_below(x: int) -> list[str]:
    return await place_of_the_run_above(x)


@env.task
async def of_a_sweep_elsewhere() -> list[list[str]]:
    await sweep_of(asks_below, count=1)
    return [trial.result or [] for trial in OUTCOMES]


def test_the_tasks_below_a_trial_look_for_its_run_where_the_sweep_lives(
    online: WandbServer, run_local: LocalRun
) -> None:
    elsewhere = {**HERE, **wandb_sweep_config(**GRID, project="searches", host=online.url)}
    (found,) = run_local(of_a_sweep_elsewhere, context=elsewhere)
    (run,) = runs_of(online)
    assert found == [run.id, "searches", run.entity, online.url]


@wandb_sweep
@env.task
async def two_in_one() -> list[str]:
    return [*await sweep_of(plain, count=1), *await sweep_of(plain, count=2)]


def test_a_sweep_can_go_on(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(two_in_one, context=HERE) == ["finished"] * 3
    assert [run.logged("x") for run in runs_of(online)] == [[1], [2], [3]]


@wandb_init
@env.task
async def names_its_action(x: int) -> str:
    context = flyte.ctx()
    assert context
    return context.action.name


ACTIONS: list[str] = []


@env.task(retries=1)
async def fails_after_a_trial() -> list[str]:
    """The first attempt does one trial, the second one another, and counts that of the first."""
    *earlier, trial = await run_sweep(names_its_action, count=len(ACTIONS) + 1, heartbeat=BEAT)
    ACTIONS.append(str(trial.result))
    if not earlier:
        raise ValueError("the first attempt")
    return ACTIONS


def test_another_attempt_goes_on_with_the_sweep_and_takes_no_action_of_the_first_for_its_own(
    online: WandbServer, run_local: LocalRun
) -> None:
    """Flyte finds an action that is done by its name, which is made of its inputs: those of both trials are equal."""
    ACTIONS.clear()
    context = wandb_sweep_config(method="random", parameters={"x": {"value": 1}}, project="vision")
    first, second = run_local(fails_after_a_trial, context=context)
    assert first != second
    assert [run.state for run in runs_of(online)] == ["finished"] * 2


@env.task
async def of_two_projects() -> list[str | None]:
    async def in_project(project: str) -> int:
        with wandb_sweep_config(project=project):
            return len(await run_sweep(plain, heartbeat=BEAT))

    return [str(found) for found in await asyncio.gather(in_project("a"), in_project("b"))]


def test_trials_of_two_projects_run_side_by_side(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(of_two_projects, context=wandb_sweep_config(name="mine", **GRID)) == ["3", "3"]
    assert sorted(sweep.project for sweep in online.sweeps) == ["a", "b"]
    assert Counter(run.project for run in online.runs) == {"a": 3, "b": 3}


@wandb_init
@env.task
async def lasts(x: int) -> int:
    in_a_trial(x)
    await asyncio.Event().wait()
    return x


LASTING: list[int] = []
TWO: list[asyncio.Event] = []
"""Is set when two trials run. A new one for each event loop."""


async def until_two() -> None:
    LASTING.clear()
    TWO[:] = [asyncio.Event()]
    await TWO[0].wait()


def in_a_trial(x: int) -> None:
    LASTING.append(x)
    if len(LASTING) == 2:
        TWO[0].set()


@env.task
async def ended_from_outside() -> list[str]:
    sweeping = asyncio.create_task(sweep_of(lasts, max_parallel=2))
    await until_two()
    server = SERVER[0]
    server.end_sweep(server.sweeps[0].id, "CANCELED")
    return await sweeping


def test_a_sweep_that_is_canceled_in_the_ui_ends_its_trials(online: WandbServer, run_local: LocalRun) -> None:
    SERVER[:] = [online]
    assert run_local(ended_from_outside, context=HERE) == ["stopped"] * 2
    assert [run.state for run in runs_of(online)] == ["killed"] * 2


RUNNING: list[int] = []
GATES: dict[str, asyncio.Event] = {}
"""Is set when eight trials run, when the first may end, and when the others may. New ones for each event loop."""


@wandb_init
@env.task
async def outlasts_outage(x: int) -> int:
    RUNNING.append(x)
    if len(RUNNING) == 8:
        GATES["eight"].set()
    await GATES["first" if x == RUNNING[0] else "others"].wait()
    this_run().log({"x": x})
    return x


@env.task
async def goes_through_an_outage(status: int, times: int) -> list[str]:
    RUNNING.clear()
    GATES.update({name: asyncio.Event() for name in ("eight", "first", "others")})
    server = SERVER[0]
    sweeping = asyncio.create_task(run_sweep(outlasts_outage, max_parallel=8, heartbeat=LEAST_HEARTBEAT))
    await GATES["eight"].wait()
    server.fault("Heartbeat", status=status, times=None)
    GATES["first"].set()
    await heartbeats(server, 8 * times)
    server.pass_time(times * 5)
    GATES["others"].set()
    with pytest.raises(SweepError) as error:
        await sweeping
    OUTCOMES[:] = error.value.trials
    return [str(error.value)]


# 120 heartbeats of each agent are ten minutes of the usual ones. After five W&B takes a silent run for crashed.
@pytest.mark.parametrize(
    ("status", "times", "message"),
    [
        (400, 120, "W&B does not answer about the sweep 'sweep1': "),
        (404, 3, "the sweep 'sweep1' no longer exists; it was probably deleted"),
    ],
)
def test_an_outage_or_a_deleted_sweep_ends_the_asking_and_no_trial(
    status: int, times: int, message: str, online: WandbServer, run_local: LocalRun
) -> None:
    SERVER[:] = [online]
    parameters = {"x": {"values": list(range(20))}}
    context = {**HERE, **wandb_sweep_config(parameters=parameters)}
    (found,) = run_local(goes_through_an_outage, status, times, context=context)
    assert found.startswith(message)
    assert [(trial.state, trial.result) for trial in OUTCOMES] == [("finished", trial.result) for trial in OUTCOMES]
    assert sorted(trial.result or 0 for trial in OUTCOMES) == list(range(8))
    assert [(run.state, run.logged("x")) for run in runs_of(online)] == [("finished", [x]) for x in range(8)]


def test_a_sweep_that_is_not_there_is_an_error(online: WandbServer, run_local: LocalRun) -> None:
    context = {**wandb_config(project="vision"), "_wandb_sweep_id": "gone", "_wandb_sweep": '{"project": "vision"}'}
    with pytest.raises(flyte.errors.RuntimeUserError, match="a request to W&B failed for the sweep 'gone': "):
        run_local(collects, {}, context=context)


async def heartbeats(server: WandbServer, more: int) -> None:
    """Wait for some more heartbeats."""
    wanted = server.requests["Heartbeat"] + more
    await asyncio.to_thread(server.wait_for, lambda server: server.requests["Heartbeat"] >= wanted, 120)


@wandb_init
@env.task
async def is_stopped(x: int) -> int:
    raise RunStoppedError


@env.task
async def stops() -> list[str]:
    return await sweep_of(is_stopped, count=1)


def test_a_trial_whose_run_is_stopped_in_the_ui_is_a_stopped_one(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(stops, context=HERE) == ["stopped"]
    assert [run.state for run in runs_of(online)] == ["failed"]


@env.task
async def paused() -> list[str]:
    server = SERVER[0]
    sweeping = asyncio.create_task(sweep_of(plain, max_parallel=1, heartbeat=LEAST_HEARTBEAT))
    for _ in range(2):  # which are together more than too many in a row
        await heartbeats(server, 3)
        server.fault("Heartbeat", status=400, times=MOST_MISSED // 2 + 1)
        await heartbeats(server, MOST_MISSED)
    assert server.runs == ()
    server.end_sweep("sweep1", "RUNNING")
    return await sweeping


def test_a_paused_sweep_waits(online: WandbServer, run_local: LocalRun) -> None:
    SERVER[:] = [online]
    sweep_id = online.put_sweep(GRID, project="vision")
    online.end_sweep(sweep_id, "PAUSED")
    assert (
        run_local(paused, context={**wandb_config(project="vision"), "_wandb_sweep_id": sweep_id}) == ["finished"] * 3
    )


@wandb_init
@env.task
async def outlasts_faults(x: int) -> int:
    if x == 1:
        server = SERVER[0]
        server.fault("Heartbeat", status=400, times=5)
        await heartbeats(server, 3)
    return x


@env.task
async def faulty() -> list[str]:
    return await sweep_of(outlasts_faults, max_parallel=1)


def test_heartbeats_that_fail_are_survived(
    online: WandbServer, run_local: LocalRun, caplog: pytest.LogCaptureFixture
) -> None:
    SERVER[:] = [online]
    assert run_local(faulty, context=HERE) == ["finished"] * 3
    said = (
        "the heartbeat of the trial sweep1-trial1 failed: ",
        "W&B did not answer with the next trial of the sweep sweep1",
    )
    assert len([message for message in caplog.messages if message.startswith(said)]) == 5


@env.task
async def unanswered() -> list[str]:
    try:
        return [one.state for one in await run_sweep(plain, max_parallel=1, heartbeat=LEAST_HEARTBEAT)]
    except SweepError as error:
        return [str(error)]


def test_a_controller_that_does_not_answer_any_more_is_an_error(online: WandbServer, run_local: LocalRun) -> None:
    online.fault("Heartbeat", status=400, times=None)
    (message,) = run_local(unanswered, context=HERE)
    assert message.startswith("W&B does not answer about the sweep 'sweep1': ")
    assert online.requests["Heartbeat"] == MOST_MISSED
    online.heal()
    assert run_local(unanswered, context=HERE) == ["finished"] * 3
    assert len(online.sweeps) == 1, "it goes on from there"


@wandb_sweep
@env.task
async def cancelled() -> list[str]:
    return await sweep_of(ends_slowly, max_parallel=2)


@wandb_init
@env.task
async def ends_slowly(x: int) -> int:
    in_a_trial(x)
    try:
        await asyncio.Event().wait()
    finally:
        while x == 2 and not any(run.state == "failed" for run in SERVER[0].runs):
            await asyncio.sleep(0)
        for _ in range(5000):  # so that the other trial, and what waits for it, are over
            await asyncio.sleep(0)
        ENDED.append(x)
    return x


ENDED: list[int] = []


def test_a_cancelled_task_cancels_its_trials_and_waits_for_them(online: WandbServer, tmp_path: Path) -> None:
    async def run() -> list[int]:
        SERVER[:] = [online]
        ENDED.clear()
        task = asyncio.ensure_future(run_action(cancelled, folder=tmp_path, context=HERE))
        await until_two()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        return list(ENDED)

    assert asyncio.run(run()) == [1, 2]
    assert [(run.state, run.exit_code) for run in runs_of(online)] == [("failed", 1)] * 2


@env.task
async def listens() -> list[str]:
    def refuses(trial: TrialOutcome) -> None:
        raise LookupError(f"enough after {trial.number}")

    return await sweep_of(plain, max_parallel=1, on_trial=refuses)


def test_what_a_listener_raises_ends_the_sweep(online: WandbServer, run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="enough after 0"):
        run_local(listens, context=HERE)
    assert len(online.runs) == 1


HEARD: list[int] = []


@env.task
async def listens_async() -> list[str]:
    async def hear(trial: TrialOutcome) -> None:
        await asyncio.sleep(0)
        HEARD.append(trial.number)

    return await sweep_of(plain, on_trial=hear)


def test_a_listener_may_be_async(online: WandbServer, run_local: LocalRun) -> None:
    HEARD.clear()
    assert run_local(listens_async, context=HERE) == ["finished"] * 3
    assert sorted(HEARD) == [0, 1, 2]


@wandb_init(mode="offline")
@env.task
async def offline_by_mode(x: int) -> int:
    return x


@wandb_init(settings={"mode": "disabled"})
@env.task
async def disabled_by_settings(x: int) -> int:
    return x


@env.task
async def of_task(name: str, stop_after_failures: int | None) -> list[str]:
    task = {"offline": offline_by_mode, "disabled": disabled_by_settings, "broken": broken, "unlucky": unlucky}[name]
    try:
        return await sweep_of(task, max_parallel=1, stop_after_failures=stop_after_failures)
    except SweepError as error:
        return [str(error), *(trial.state for trial in error.trials)]


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_task_that_is_offline_by_its_own_settings_is_refused_before_any_work(
    mode: str, online: WandbServer, run_local: LocalRun
) -> None:
    (message,) = run_local(of_task, mode, 5, context=HERE)
    assert f"has mode={mode!r}, so W&B would see nothing of its trials" in message
    assert online.sweeps == ()


@wandb_init
@env.task
async def broken(x: int) -> int:
    raise LookupError("there is no data set")


@wandb_init
@env.task
async def unlucky(x: int) -> int:
    raise LookupError(f"there is no data set {x}")


def many(values: int) -> dict[str, str]:
    return {**HERE, **wandb_sweep_config(parameters={"x": {"values": list(range(values))}})}


def test_a_search_whose_first_trials_all_fail_alike_ends_with_their_error(
    online: WandbServer, run_local: LocalRun
) -> None:
    message, *states = run_local(of_task, "broken", 3, context=many(5))
    assert message == (
        "the first 3 trials of the sweep 'sweep1' all failed with RuntimeUserError: there is no data set; "
        "to continue anyway, pass run_sweep(stop_after_failures=None)"
    )
    assert states == ["failed"] * 3
    assert len(online.runs) == 3


@pytest.mark.parametrize(("name", "most"), [("broken", None), ("unlucky", 3)])
def test_trials_that_fail_in_other_ways_or_by_request_end_no_search(
    name: str, most: int | None, online: WandbServer, run_local: LocalRun
) -> None:
    assert run_local(of_task, name, most, context=many(5)) == ["failed"] * 5


@env.task
async def cannot_start() -> list[str]:
    checked: list[int] = []

    def inputs(parameters: dict[str, Any]) -> dict[str, Any]:
        checked.append(parameters["x"])
        return {"x": parameters["x"] if len(checked) <= 3 else "text"}

    return await sweep_of(plain, inputs_from=inputs)


def test_a_trial_that_does_not_start_leaves_no_pending_run(online: WandbServer, run_local: LocalRun) -> None:
    assert run_local(cannot_start, context=HERE) == ["failed"] * 3
    assert [(run.state, run.exit_code, run.sweep) for run in online.runs] == [("failed", 1, "sweep1")] * 3
    assert "cannot take 'text' as x" in str(OUTCOMES[0].error)
