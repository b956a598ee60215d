"""Trials and agents in processes of their own: ranks of a cluster and of Elastic, and agents that share a grid."""

from __future__ import annotations

import asyncio
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import Trial, wandb_config, wandb_sweep_config
from flyte_wandb.plans._inherited import SweepRef, write_sweep, write_trial
from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer, run_container, run_ranks, start_container
from tests.remote import run_action
from tests.sweeps import tasks
from tests.versions import with_torch

GRID: Any = {"method": "grid", "parameters": {"x": {"values": [7]}}}
PLACE: Any = {"project": "vision", "entity": "local"}


def seen(folder: Path, ranks: int) -> list[dict[str, Any]]:
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(ranks)]


def logs(results: list[ContainerResult]) -> list[str]:
    return [f"{result.error}\n{result.log}" for result in results if result.error or result.exit_code]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def trial_of(run: RunRecord) -> dict[str, str]:
    """What the context of the trial's action says."""
    return write_trial(Trial(run_id=run.id, sweep_id=str(run.sweep), parameters=run.config, **PLACE))


@pytest.fixture
def elastic_tasks() -> Any:
    return with_torch("tests.sweeps.elastic_tasks")


@pytest.mark.parametrize(("mode", "ranks"), [("auto", {0}), ("shared", {0, 1, 2, 3})])
def test_a_trial_on_two_nodes_of_a_cluster_is_one_run_of_its_sweep(
    mode: str, ranks: set[int], server: WandbServer, tmp_path: Path
) -> None:
    trial = Trial(run_id="x7k2", sweep_id=server.put_sweep(GRID, **PLACE), parameters={"x": 7}, **PLACE)
    context = {**wandb_config(project="elsewhere", run_mode=mode), **write_trial(trial)}
    inputs = {"x": 7, "scale": 0.5}
    options: dict[str, Any] = {"inputs": inputs, "context": context, "environ": server.environ}
    results = run_ranks(tasks.ranked, folder=tmp_path, nodes=(2, 2), **options)
    assert logs(results) == []
    (run,) = server.runs
    assert (run.id, run.sweep, run.project, run.state) == ("x7k2", trial.sweep_id, "vision", "finished")
    assert (run.config["x"], set(run.logged("rank"))) == (7, ranks)
    assert [one["inputs"] for one in seen(tmp_path, 4)] == [[7, 0.5]] * 4
    assert {rank for rank, one in enumerate(seen(tmp_path, 4)) if one["run"] == "x7k2" and one["config"] == 7} == ranks


def test_a_trial_whose_ranks_have_a_run_each_is_the_run_of_rank_0(
    elastic_tasks: Any, online: WandbServer, tmp_path: Path
) -> None:
    context = {**wandb_config(run_mode="new", project="vision"), **wandb_sweep_config(**GRID)}
    assert asyncio.run(run_action(elastic_tasks.search, nodes=1, folder=tmp_path, context=context)) == 1
    ((trial,), (sweep,)) = elastic_tasks.TRIALS, online.sweeps
    assert (trial.state, trial.result, trial.summary["rank"]) == ("finished", 7, 0)
    assert sweep.run_ids == (trial.run_id,)
    ids = [trial.run_id, f"{trial.run_id}-rank-1"]
    assert [(run.id, run.group, run.config["x"], run.sweep) for run in online.runs] == [
        (ids[0], trial.run_id, 7, sweep.id),
        (ids[1], trial.run_id, 7, None),
    ]
    assert [(one["inputs"], one["run"]) for one in seen(tmp_path, 2)] == [([7, 0.5], run_id) for run_id in ids]


def test_a_trial_under_elastic_on_two_nodes_is_one_run_of_its_sweep(
    elastic_tasks: Any, online: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("PET_RDZV_ENDPOINT", meeting)

    def second_node() -> ContainerResult:
        """Start the other agent of the trial, whose first one runs in this process."""
        (run,) = online.wait_for(lambda server: server.runs)
        environ = {**online.environ, "PET_RDZV_ENDPOINT": meeting}
        options: dict[str, Any] = {"inputs": {"x": 7, "scale": 0.5}, "context": trial_of(run), "environ": environ}
        return run_container(elastic_tasks.on_two_nodes, folder=tmp_path, run_name="r1", label="node-1", **options)

    context = {**wandb_config(project="vision"), **wandb_sweep_config(**GRID)}
    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(second_node)
        assert asyncio.run(run_action(elastic_tasks.search, nodes=2, folder=tmp_path, context=context)) == 1
        assert logs([other.result()]) == []
    ((trial,), (sweep,), (run,)) = elastic_tasks.TRIALS, online.sweeps, online.runs
    assert (trial.state, trial.run_id, run.sweep) == ("finished", run.id, sweep.id)
    assert (run.state, run.config["x"], len(run.logged("rank"))) == ("finished", 7, 1)
    assert [one["inputs"] for one in seen(tmp_path, 4)] == [[7, 0.5]] * 4
    assert [one["run"] for one in seen(tmp_path, 4)] == [run.id, None, None, None]


def test_two_agents_in_parallel_share_a_grid_and_no_trial_is_done_twice(server: WandbServer, tmp_path: Path) -> None:
    grid = {"method": "grid", "parameters": {"x": {"values": list(range(8))}}}
    sweep_id = server.put_sweep(grid, **PLACE)
    options: dict[str, Any] = {
        "inputs": {"count": 4},
        "context": write_sweep(SweepRef(sweep_id=sweep_id, **PLACE)),
        "environ": server.environ,
    }
    agents = [start_container(tasks.agent, folder=tmp_path, action_name=f"a{number}", **options) for number in range(2)]
    results = [one.wait() for one in agents]
    assert logs(results) == []
    assert [result.value for result in results] == [sweep_id] * 2
    sweep = server.sweep(sweep_id)
    assert (len(server.sweeps), sweep.agents, len(sweep.run_ids)) == (1, 2, 8)
    assert {(run.state, run.sweep, len(run.writers)) for run in server.runs} == {("finished", sweep_id, 1)}
    assert sorted(x for run in server.runs for x in run.logged("loss")) == list(range(8))


def test_a_trial_that_is_told_to_end_is_not_given_to_another_agent(server: WandbServer, tmp_path: Path) -> None:
    """W&B hands a preempted run of a sweep out again, while Flyte tries the action again."""
    trial = Trial(run_id="x7k2", sweep_id=server.put_sweep(GRID, **PLACE), parameters={"x": 7}, **PLACE)
    options: dict[str, Any] = {"inputs": {"x": 7}, "context": write_trial(trial), "environ": server.environ}
    container = start_container(tasks.waits, folder=tmp_path, **options)
    assert any("waiting" in line for line in container.process.stdout or ())
    container.process.terminate()
    container.wait()
    run = server.run("x7k2")
    assert (run.state, run.exit_code, run.preempting) == ("failed", 143, False)


def test_a_server_that_cannot_be_reached_is_an_error_that_names_it(server: WandbServer, tmp_path: Path) -> None:
    environ = {**server.environ, "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_HTTP_TIMEOUT": "1"}
    context = {**wandb_config(project="vision"), **wandb_sweep_config(**GRID)}
    result = run_container(tasks.agent, folder=tmp_path, inputs={"count": 1}, context=context, environ=environ)
    assert result.error is not None
    start = "SweepError: W&B did not create the sweep 'run1-a0' (project 'vision') at http://127.0.0.1:9: "
    assert result.error.startswith(start)
