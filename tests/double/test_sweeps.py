"""Sweeps, from creating one to its end, as W&B's client sees them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.request import urlopen

import pytest
import wandb

from tests.versions import WANDB_BEFORE_0_30

if WANDB_BEFORE_0_30:
    pytest.skip("wandb before 0.30 asks for the state of a sweep by other means", allow_module_level=True)

from wandb.apis.public.sweeps import _get_sweep_state, _set_sweep_state
from wandb.sdk.sweeps import SweepNotFoundError

from flyte_wandb.testing import WandbServer
from tests.double.agents import PROJECT, OwnAgent, running_agent
from tests.double.raw import ask

pytestmark = pytest.mark.usefixtures("no_package_list")
GRID: dict[str, Any] = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {
        "lr": {"values": [0.5, 1e-05]},
        "net": {"parameters": {"width": {"min": 1, "max": 3}, "kind": {"value": "mlp"}}},
    },
}
TRIALS = [{"lr": lr, "net": {"kind": "mlp", "width": width}} for lr in (0.5, 1e-05) for width in (1, 2, 3)]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pytest put back what `wandb.sweep` writes to the environment."""
    monkeypatch.setenv("WANDB_PROJECT", PROJECT)
    monkeypatch.setenv("WANDB_ENTITY", "local")


def read_sweep(path: str) -> Any:
    api: Any = wandb.Api()
    return api.sweep(path)


def test_two_agents_share_a_grid_and_no_trial_runs_twice(server: WandbServer) -> None:
    sweep_id = wandb.sweep(GRID, project=PROJECT)
    with ExitStack() as running:
        with server.paused():
            agents = [running.enter_context(running_agent(sweep_id, count=3)) for _ in range(2)]
            server.wait_for(lambda server: server.held == 2)
            assert [run.state for run in server.runs] == ["pending", "pending"]
        logs = [output.read() for _, output in agents]
    assert [agent.returncode for agent, _ in agents] == [0, 0], logs

    sweep, runs = server.sweep(sweep_id), server.runs
    assert [run.config for run in runs] == TRIALS
    assert [(run.sweep, run.state, run.restarted, run.resumed) for run in runs] == [(sweep_id, "finished", 0, 0)] * 6
    assert (sweep.run_ids, sweep.agents, sweep.state) == (tuple(run.id for run in runs), 2, "RUNNING")
    read = read_sweep(f"{PROJECT}/{sweep_id}")
    assert (read.config, read.expected_run_count, read.url) == (GRID, 6, sweep.url)
    assert [run.id for run in read.runs] == list(sweep.run_ids)
    assert read.best_run().id == runs[3].id
    assert read.best_run(order="-loss").id == runs[2].id


def test_a_sweep_is_found_in_its_project_and_on_its_pages(server: WandbServer) -> None:
    ids = [server.put_sweep({**GRID, "name": name}, project=PROJECT) for name in ("one", "two", "three")]
    server.put_sweep(GRID, project="q")
    server.put_run("mine", project=PROJECT, sweep=ids[0])
    server.put_run("other", project=PROJECT)
    api = wandb.Api()
    assert [(found.id, found.name) for found in api.project(PROJECT).sweeps(per_page=2)] == list(
        zip(ids, ("one", "two", "three"), strict=True)
    )
    assert server.requests["GetSweeps"] == 2
    assert [run.id for run in api.runs(PROJECT, filters={"sweep": ids[0]})] == ["mine"]
    assert [api.run(f"{PROJECT}/{run_id}").sweep_name for run_id in ("mine", "other")] == [ids[0], None]
    for url, title in [(server.sweep(ids[0]).url, "Sweep one"), (f"{server.url}/local/{PROJECT}/sweeps", "Sweeps")]:
        with urlopen(url) as page:
            html = page.read().decode()
        assert title in html
        assert [server.run(run_id).url in html for run_id in ("mine", "other")] == [True, False]


def test_what_a_sweep_was_created_with_is_kept(server: WandbServer) -> None:
    sweep_id = wandb.sweep({**GRID, "name": "my sweep"}, project=PROJECT, prior_runs=["old1", "old2"])
    sweep = server.sweep(sweep_id)
    assert (sweep.display_name, sweep.prior_runs, sweep.run_ids) == ("my sweep", ("old1", "old2"), ())
    assert (sweep.entity, sweep.project, sweep.config) == ("local", PROJECT, {**GRID, "name": "my sweep"})
    assert server.sweeps == (sweep,)
    with pytest.raises(LookupError, match=f"no sweep with the id 'other'; known sweeps: {sweep_id}"):
        server.sweep("other")


def test_a_grid_is_tried_in_order_and_then_the_sweep_is_finished(server: WandbServer) -> None:
    sweep_id = server.put_sweep(GRID, project=PROJECT)
    busy, agent = OwnAgent(sweep_id), OwnAgent(sweep_id)
    (given,) = busy.ask()
    assert agent.trials(5) == TRIALS[1:]
    assert server.sweep(sweep_id).state == "RUNNING"
    assert agent.ask() == [{"type": "exit"}]
    assert server.sweep(sweep_id).state == "FINISHED"
    assert busy.ask(given["run_id"]) == [], "who still has a trial may end it"
    assert busy.ask() == [{"type": "exit"}]


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_draws_are_the_same_each_time_and_end_with_the_cap(method: str, server: WandbServer) -> None:
    parameters = {
        "of": {"values": ["a", "b", "c"]},
        "one": {"value": 7},
        "whole": {"min": 1, "max": 10},
        "real": {"min": 0.5, "max": 1.5},
        "log": {"distribution": "log_uniform_values", "min": 1e-06, "max": 1.0},
        "in": {"parameters": {"deep": {"values": [1, 2]}}},
    }
    config = {"method": method, "parameters": parameters, "run_cap": 20}
    ids = [server.put_sweep(config, project=PROJECT) for _ in range(2)]
    first, second = (OwnAgent(sweep_id).trials(20) for sweep_id in ids)
    assert first == second
    assert len({str(trial) for trial in first}) == 20
    for trial in first:
        assert (trial["of"] in "abc", trial["one"], trial["in"]["deep"] in (1, 2)) == (True, 7, True)
        assert isinstance(trial["whole"], int)
        assert 1 <= trial["whole"] <= 10
        assert 0.5 <= trial["real"] <= 1.5
    assert min(trial["log"] for trial in first) < 0.01
    assert OwnAgent(ids[0]).ask() == [{"type": "exit"}]
    assert read_sweep(f"{PROJECT}/{ids[0]}").expected_run_count == 20


@pytest.mark.parametrize("resume", [None, "allow"])
def test_the_run_of_a_trial_waits_for_its_writer(resume: Any, server: WandbServer) -> None:
    sweep_id = server.put_sweep({**GRID, "run_cap": 1}, project=PROJECT)
    agent = OwnAgent(sweep_id)
    (command,) = agent.ask()
    run_id = command["run_id"]
    before = server.run(run_id)
    assert (before.state, before.sweep, before.config, before.writers) == ("pending", sweep_id, TRIALS[0], ())
    assert agent.ask(run_id) == [], "it has a run already"
    run = wandb.init(id=run_id, project=PROJECT, resume=resume, config={**TRIALS[0], "more": 1})
    assert (run.resumed, server.run(run_id).state) == (False, "running")
    run.finish()
    after = server.run(run_id)
    assert (after.state, after.resumed, after.restarted, after.sweep) == ("finished", 0, 0, sweep_id)
    assert after.config == {**TRIALS[0], "more": 1}
    assert agent.ask() == [{"type": "exit"}]


def test_a_run_may_join_a_sweep_by_itself(server: WandbServer) -> None:
    sweep_id = server.put_sweep(GRID, project=PROJECT)
    wandb.init(id="own", project=PROJECT, settings=wandb.Settings(sweep_id=sweep_id)).finish()
    assert (server.run("own").sweep, server.sweep(sweep_id).run_ids) == (sweep_id, ("own",))
    assert OwnAgent(sweep_id).trials(1) == TRIALS[:1]


def test_the_agent_of_a_trial_is_told_once_to_stop_it(server: WandbServer) -> None:
    sweep_id = server.put_sweep(GRID, project=PROJECT)
    agent, other = OwnAgent(sweep_id), OwnAgent(sweep_id)
    ((mine,), (others,)) = agent.ask(), other.ask()
    server.stop_trial(mine["run_id"])
    assert other.ask(others["run_id"]) == []
    assert agent.ask(mine["run_id"]) == [{"type": "stop", "run_id": mine["run_id"]}]
    assert agent.ask(mine["run_id"]) == []
    with pytest.raises(LookupError, match="no agent has the run 'elsewhere'"):
        server.stop_trial("elsewhere")


@pytest.mark.parametrize(
    ("state", "with_a_run", "without"),
    [
        ("CANCELED", [{"type": "exit"}], [{"type": "exit"}]),
        ("FINISHED", [], [{"type": "exit"}]),
        ("PAUSED", [], []),
    ],
)
def test_the_state_of_a_sweep_decides_what_agents_are_told(
    state: Any, with_a_run: list[Any], without: list[Any], server: WandbServer
) -> None:
    ids = [server.put_sweep(GRID, project=PROJECT) for _ in range(2)]
    for sweep_id in ids:
        agent = OwnAgent(sweep_id)
        (command,) = agent.ask()
        if sweep_id == ids[0]:
            server.end_sweep(sweep_id, state)
        else:
            _set_sweep_state(wandb.Api(), sweep_id, state, project=PROJECT)
        assert (agent.ask(command["run_id"]), agent.ask()) == (with_a_run, without)
        assert _get_sweep_state(wandb.Api(), sweep_id, project=PROJECT) == state
    with pytest.raises(LookupError, match="no sweep with the id 'other'"):
        server.end_sweep("other")


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Have threads take turns as often as Python can, so that what is not guarded goes wrong."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-06)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried_threads")
def test_many_agents_at_once_get_a_trial_each(server: WandbServer) -> None:
    choices = {f"x{number}": {"values": [0, 1]} for number in range(6)}
    sweep_id = server.put_sweep({"method": "grid", "parameters": choices}, project=PROJECT)
    created = [ask(server, "mutation CreateAgent {}", projectName=PROJECT, sweep=sweep_id) for _ in range(64)]
    agents = [answer["data"]["createAgent"]["agent"]["id"] for answer in created]
    server.slow("Heartbeat", 60)
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(ask, server, "mutation Heartbeat {}", id=agent) for agent in agents]
        server.wait_for(lambda server: server.requests["Heartbeat"] == 64)
        server.heal()
    given = {answer.result()["data"]["agentHeartbeat"]["commands"] for answer in answers}
    assert len(given) == len({str(run.config) for run in server.runs}) == len(server.runs) == 64


def test_an_unknown_sweep_or_agent_is_not_found(server: WandbServer) -> None:
    sweep_id = server.put_sweep(GRID, project="q")
    for unknown in (sweep_id, "none"):
        with pytest.raises(wandb.errors.CommError, match="could not find the sweep"):
            OwnAgent(unknown)
        with pytest.raises(Exception, match="Could not find sweep"):
            read_sweep(f"{PROJECT}/{unknown}")
    agent = OwnAgent(server.put_sweep(GRID, project=PROJECT))
    agent._id = "none"
    with pytest.raises(SweepNotFoundError):
        agent.ask()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "guess"}, "the sweep's method is 'guess'; use one of grid, random, bayes"),
        ({"parameters": {"x": {"min": 0.0, "max": 1.0}}}, "the parameter 'x' .* a grid takes values"),
        ({"method": "random", "parameters": {"x": {"mu": 1.0}}}, "the parameter 'x' .* give it 'min' for uniform"),
        (
            {"method": "random", "parameters": {"x": {"distribution": "guess", "min": 0, "max": 1}}},
            "the parameter 'x' has the distribution 'guess'; use one of",
        ),
    ],
)
def test_a_sweep_that_cannot_be_searched_is_refused(change: dict[str, Any], message: str, server: WandbServer) -> None:
    with pytest.raises(wandb.errors.CommError, match=f"Invalid sweep config: {message}"):
        wandb.sweep({**GRID, **change}, project=PROJECT)
    with pytest.raises(ValueError, match=message):
        server.put_sweep({**GRID, **change})
    assert server.sweeps == ()


DRAWN: list[tuple[dict[str, Any], float, float]] = [
    ({"distribution": "uniform", "min": 1, "max": 2}, 1, 2),
    ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0, 1),
    ({"distribution": "log_uniform", "min": 0, "max": 1}, 1, 2.72),
    ({"distribution": "log_uniform_values", "min": 1, "max": 10}, 1, 10),
    ({"distribution": "q_log_uniform", "min": 0, "max": 3}, 1, 21),
    ({"distribution": "q_log_uniform_values", "min": 1, "max": 10}, 1, 10),
    ({"distribution": "inv_log_uniform", "min": 0, "max": 1}, 0.36, 1),
    ({"distribution": "inv_log_uniform_values", "min": 1, "max": 10}, 1, 10),
    ({"distribution": "normal", "mu": 5, "sigma": 0.1}, 4, 6),
    ({"distribution": "q_normal", "mu": 50, "sigma": 10, "q": 5}, 0, 100),
    ({"distribution": "log_normal", "mu": 0, "sigma": 0.1}, 0.5, 2),
    ({"distribution": "q_log_normal", "mu": 3, "sigma": 0.1}, 10, 40),
    ({"distribution": "constant", "value": 3}, 3, 3),
    ({"values": [1, 2, 3], "probabilities": [0, 0, 1]}, 3, 3),
]


def test_every_distribution_that_wandb_documents_is_drawn_from(server: WandbServer) -> None:
    parameters = {f"x{number}": parameter for number, (parameter, _, _) in enumerate(DRAWN)}
    config: dict[str, Any] = {"method": "random", "parameters": parameters, "run_cap": 50}
    trials = OwnAgent(wandb.sweep(config, project=PROJECT)).trials(50)
    for number, (parameter, low, high) in enumerate(DRAWN):
        drawn = [trial[f"x{number}"] for trial in trials]
        assert low <= min(drawn) <= max(drawn) <= high, parameter
        assert all(value % parameter["q"] == 0 for value in drawn if "q" in parameter), parameter
    assert OwnAgent(server.put_sweep({"method": "grid", "parameters": {"x": DRAWN[1][0]}}, project=PROJECT)).trials(
        9
    ) == [{"x": value} for value in (0.0, 0.25, 0.5, 0.75, 1.0)]


def test_prior_runs_belong_to_the_sweep_and_a_grid_does_not_try_them_again(server: WandbServer) -> None:
    for number, trial in enumerate(TRIALS[:2]):
        server.put_run(f"old{number}", project=PROJECT, config={**trial, "more": 1}, summary={"loss": number})
    sweep_id = wandb.sweep(GRID, project=PROJECT, prior_runs=["old0", "old1"])
    assert [run.id for run in read_sweep(f"{PROJECT}/{sweep_id}").runs] == ["old0", "old1"]
    assert OwnAgent(sweep_id).trials(9) == TRIALS[2:]
