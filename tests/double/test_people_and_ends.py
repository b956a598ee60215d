"""What else W&B's client can do: console logs, alerts, deleting, stopping, projects, teams, agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb.testing import Alert, WandbServer
from tests.double.agents import OwnAgent


@pytest.fixture
def api() -> Any:
    return wandb.Api()


def test_console_logs_are_read_back(server: WandbServer, api: Any) -> None:
    with wandb.init(id="run1", project="p") as run:
        run.write_logs("one\ntwo\nthree\n")
    lines = list(api.run("p/run1").console_logs(per_page=2))
    assert [line.content for line in lines] == ["one", "two", "three"]
    assert [line.content for line in api.run("p/run1").console_logs(last=2)] == ["two", "three"]


def test_alerts_arrive(server: WandbServer) -> None:
    with wandb.init(id="run1", project="p") as run:
        run.alert("Low accuracy", "it fell", level="WARN")
    assert server.run("run1").alerts == (Alert(title="Low accuracy", text="it fell", level="WARN"),)


def test_runs_and_files_are_deleted(server: WandbServer, api: Any) -> None:
    server.put_run("run1", project="p", files={"a.txt": b"a", "b.txt": b"b"})
    server.put_run("run2", project="p")
    api.run("p/run1").file("a.txt").delete()
    assert server.run("run1").files == {"b.txt": b"b"}
    api.run("p/run2").delete()
    assert [run.id for run in server.runs] == ["run1"]
    with pytest.raises(wandb.errors.CommError, match="Could not find run"):
        wandb.Api().run("p/run2")


def test_a_file_is_uploaded_through_the_public_api(server: WandbServer, api: Any, tmp_path: Path) -> None:
    server.put_run("run1", project="p")
    (tmp_path / "late.txt").write_text("late")
    api.run("p/run1").upload_file(str(tmp_path / "late.txt"), root=str(tmp_path))
    record = server.run("run1")
    assert (record.files, record.state) == ({"late.txt": b"late"}, "finished")


def test_projects_are_created_and_listed(server: WandbServer, api: Any) -> None:
    server.put_run("run1", project="q")
    api.create_project("p", "local")
    assert [project.name for project in api.projects("local")] == ["p", "q"]
    assert api.project("p").id == "local/p"


def test_teams_and_the_viewer_are_known(server: WandbServer, api: Any) -> None:
    server.put_run("run1", entity="team")
    assert (api.default_entity, api.viewer.username) == ("local", "local")
    assert "team" in api.viewer.teams
    team = api.team("team")
    assert (team.name, [member.username for member in team.members]) == ("team", ["local"])


def test_agents_of_a_sweep_are_listed_with_their_runs(server: WandbServer, api: Any) -> None:
    sweep_id = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1, 2]}}}, project="p")
    agent, _ = OwnAgent(sweep_id), OwnAgent(sweep_id)
    (command,) = agent.ask()
    agents = list(api.sweep(f"p/{sweep_id}").agents())
    assert [(one.host, one.total_runs) for one in agents] == [("host", 1), ("host", 0)]
    assert [run.id for run in agents[0].runs()] == [command["run_id"]]
