"""Programs in the manner of the existing plugin's examples run as they did there, in local mode and in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import wandb_config, wandb_sweep_config
from flyte_wandb.testing import WandbServer, run_container
from tests.conftest import LocalRun
from tests.integrations import written_for_the_existing_plugin as programs

PLACE = wandb_config(project="vision", entity="team")
SEARCH = {
    **PLACE,
    **wandb_sweep_config(
        method="grid",
        metric={"name": "loss", "goal": "minimize"},
        parameters={"lr": {"values": [1, 2, 3, 4]}},
        description="as before",
    ),
}


def pages(task: Any, context: dict[str, str], run_name: str, action_name: str) -> list[str]:
    asked: Any = {"parent_action_name": "", "pod_name": "localhost", "project": "p", "domain": "d"}
    names = {"run_name": run_name, "action_name": action_name}
    return [link.get_link(**names, **asked, context=context) for link in task.links]


def test_parents_and_children(online: WandbServer, run_local: LocalRun) -> None:
    ids = run_local(programs.trains)
    assert ids["shared"] == ids["own"]
    assert len(set(ids.values())) == 3
    own, new, elsewhere = (online.run(ids[name]) for name in ("own", "new", "elsewhere"))
    assert (own.project, own.tags, own.config["lr"]) == ("vision", ("parent",), 0.1)
    assert (own.logged("traced"), own.logged("evaluated")) == ([3], [1])
    assert (new.logged("alone"), new.tags) == ([2], ())
    assert (elsewhere.project, elsewhere.tags, elsewhere.logged("alone")) == ("elsewhere", ("inside",), [4])
    assert {run.state for run in online.runs} == {"finished"}


def test_runs_that_the_program_opens_itself(online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(programs.opens_all_runs, context=PLACE) == ["above", "below-1", "below-2"]
    assert {run.id: len(run.history) for run in online.runs} == {"above": 1, "below-1": 3, "below-2": 3}
    named = run_local(programs.opens_its_run_by_the_names_of_flyte, context=PLACE)
    (link,) = pages(programs.opens_its_run_by_the_names_of_flyte, dict(PLACE), *named.rsplit("-", 1))
    assert link.endswith(f"/team/vision/runs/{named}")
    options: Any = {"inputs": {"rate": 0.1, "run_id": "in-a-container"}, "environ": online.environ}
    result = run_container(programs.opens_its_run, folder=tmp_path, context=PLACE, **options)
    assert (result.error, result.value) == (None, "in-a-container"), result.log
    assert len(online.run("in-a-container").history) == 3


@pytest.mark.usefixtures("quick_agents")
def test_a_sweep_that_the_program_creates_itself(online: WandbServer, run_local: LocalRun) -> None:
    sweep_id = run_local(programs.searches_by_hand, context=PLACE)
    sweep = online.sweep(sweep_id)
    assert sorted(online.run(run_id).config["lr"] for run_id in sweep.run_ids) == [1, 2, 3, 4]
    assert {online.run(run_id).state for run_id in sweep.run_ids} == {"finished"}
    (link,) = pages(programs.searches_by_hand, dict(PLACE), "r1", "a0")
    assert link.endswith("/team/vision/sweeps")


@pytest.mark.usefixtures("quick_agents")
@pytest.mark.parametrize("search", [programs.searches_in_parallel, programs.searches_in_turn])
def test_a_sweep_whose_agents_are_tasks(search: Any, online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    found = run_local(search, agents=2, count=2, context=SEARCH)
    (sweep,) = online.sweeps
    assert (sweep.project, sweep.config["description"], sweep.agents) == ("vision", "as before", 2)
    runs = [online.run(run_id) for run_id in sweep.run_ids]
    assert sorted(run.config["lr"] for run in runs) == [1, 2, 3, 4]
    assert {(run.state, len(run.history)) for run in runs} == {("finished", 2)}
    assert found == sweep.id or sorted(Path(folder.path).name for folder in found) == sorted(sweep.run_ids)
    if search is programs.searches_in_parallel:
        assert len(list((tmp_path / "raw").rglob("run.json"))) == 4


def test_folders_of_runs(online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(programs.reads_what_another_task_wrote, folder=str(tmp_path / "home"), context=PLACE) == 0.5
    assert (tmp_path / "home" / "files" / "weights.txt").read_text() == "w"
