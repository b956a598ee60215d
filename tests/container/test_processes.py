"""Tasks in processes of their own, started by Flyte's real entry point, writing to the server double."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import wandb_config
from flyte_wandb.testing import ContainerResult, WandbServer, run_container
from tests.conftest import own_config
from tests.container import tasks
from tests.offline import by_id, logs
from tests.versions import HANGS


def run(server: WandbServer, folder: Path, task: Any, **options: Any) -> ContainerResult:
    options.setdefault("environ", server.environ)
    return run_container(task, folder=folder, **options)


def test_a_task_opens_its_run_and_finishes_it(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(project="vision", tags=["a", "b"], config={"lr": 0.5, "seed": 1}, name="first")
    # A pod has these of its own, around the agent of a node (PyTorchJob): they make no rank.
    environ = {**server.environ, "RANK": "5", "WORLD_SIZE": "8", "WANDB__SAVE_REQUIREMENTS": "true"}
    result = run(server, tmp_path, tasks.leaf, inputs={"x": 3}, context=context, environ=environ)
    assert (result.error, result.value) == (None, "run1-a0"), result.log
    (record,) = server.runs
    assert (record.id, record.project, record.state, record.exit_code) == ("run1-a0", "vision", "finished", 0)
    assert (record.display_name, record.tags, record.notes, record.job_type) == ("first", ("a", "b"), "a note", "train")
    assert own_config(record) == {"lr": 0.1}
    assert record.logged("x") == [0, 1, 2]
    assert record.console.splitlines() == ["[a0] printed by the task"]
    assert {"requirements.txt", "wandb-metadata.json"} <= set(record.files)


def test_a_run_that_children_may_join_is_shared_and_one_that_they_may_not_is_plain(
    server: WandbServer, tmp_path: Path
) -> None:
    run(server, tmp_path, tasks.leaf, inputs={"x": 1}, action_name="open")
    result = run(server, tmp_path, tasks.closed, inputs={"x": 1}, action_name="closed")
    assert [writer.shared for writer in server.run("run1-open").writers] == [True]
    assert [writer.shared for writer in server.run("run1-closed").writers] == [False]
    assert result.value == 4
    assert [row["_step"] for row in server.run("run1-closed").history] == [4]


@pytest.mark.parametrize("child", ["auto_child", "shared_child"])
def test_a_child_in_another_process_writes_to_its_parents_run(child: str, server: WandbServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, tasks.parent, inputs={"child": child}, context=wandb_config(project="vision"))
    assert result.value == ["run1-a0", "run1-a0"], result.log
    (record,) = server.runs
    assert (record.project, record.state, record.exit_code) == ("vision", "finished", 0)
    assert record.logged("child") == [7]
    assert record.logged("parent") == [1, 2]
    assert sorted(row["_step"] for row in record.history) == [0, 1, 2]
    assert own_config(record) == {"parent": True} | ({"child": True} if child == "shared_child" else {})
    opener, joiner = record.writers
    assert (opener.shared, opener.rows, opener.completed) == (True, 2, True)
    assert (joiner.shared, joiner.rows, joiner.completed) == (True, 1, False)


def test_a_new_child_in_another_process_has_its_own_run(server: WandbServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, tasks.parent, inputs={"child": "new_child"})
    assert result.value == ["run1-a0", "run1-a1"], result.log
    assert [(record.id, record.state) for record in server.runs] == [("run1-a0", "finished"), ("run1-a1", "finished")]
    assert server.run("run1-a1").logged("child") == [7]


def test_a_child_of_a_closed_parent_has_its_own_run_in_the_parents_group(server: WandbServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, tasks.closed_parent, inputs={"child": "auto_child"})
    assert result.value == ["run1-a0", "run1-a1"], result.log
    assert [record.id for record in server.groups["run1-a0"]] == ["run1-a1"]


def test_a_shared_child_of_a_closed_parent_is_told_why_not(server: WandbServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, tasks.closed_parent, inputs={"child": "shared_child"})
    assert "opened with joinable=False; remove joinable=False from the parent" in str(result.error)
    assert [record.id for record in server.runs] == ["run1-a0"]


def test_an_id_in_the_context_names_the_parent_and_starts_the_childs_name(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(id="exp")
    result = run(server, tmp_path, tasks.parent, inputs={"child": "new_child"}, context=context)
    assert result.value == ["exp", "exp-a1"], result.log


OUTCOMES = [
    (tasks.fails, "raise", 1, "the user's own"),
    pytest.param(tasks.fails, "exit", 3, "exit code 3", marks=HANGS),
    pytest.param(tasks.fails, "interrupt", 1, "KeyboardInterrupt", marks=HANGS),
    (tasks.fails_async, "raise", 1, "the user's own"),
    (tasks.fails_async, "exit", 3, "exit code 3"),
    (tasks.fails_async, "cancelled", 1, "Cancelled"),
]


@pytest.mark.parametrize(("task", "how", "exit_code", "words"), OUTCOMES)
def test_a_task_that_does_not_succeed_fails_its_run(
    task: Any, how: str, exit_code: int, words: str, server: WandbServer, tmp_path: Path
) -> None:
    result = run(server, tmp_path, task, inputs={"how": how})
    (record,) = server.runs
    assert (record.state, record.exit_code, record.logged("before")) == ("failed", exit_code, [1])
    assert result.value is None
    # What Flyte prints of a SystemExit can be lost when its process ends; the exit code is not.
    assert words in f"{result.error}\n{result.log}\nexit code {result.exit_code}"


def test_a_second_attempt_continues_the_run_of_the_first(server: WandbServer, tmp_path: Path) -> None:
    run(server, tmp_path, tasks.fails, inputs={"how": "raise"}, label="first")
    assert server.run("run1-a0").state == "failed"
    run(server, tmp_path, tasks.leaf, inputs={"x": 2}, label="second")
    record = server.run("run1-a0")
    assert (record.state, record.exit_code, record.resumed, record.restarted) == ("finished", 0, 1, 0)
    assert [{key: row.get(key) for key in ("before", "x")} for row in record.history] == [
        {"before": 1, "x": None},
        {"before": None, "x": 0},
        {"before": None, "x": 1},
    ]


@pytest.mark.parametrize(
    ("task", "environ", "context"),
    [
        (tasks.leaf, {"WANDB_MODE": "offline"}, {}),
        (tasks.closed, {}, wandb_config(settings={"mode": "offline"})),
        (tasks.says_offline, {"WANDB_MODE": "online"}, {}),
    ],
)
def test_offline_holds_in_a_container_too(
    task: Any, environ: dict[str, str], context: dict[str, str], server: WandbServer, tmp_path: Path
) -> None:
    result = run(server, tmp_path, task, inputs={"x": 2}, environ=server.environ | environ, context=context)
    assert result.error is None, result.log
    assert server.runs == ()
    assert by_id(tmp_path)["run1-a0"].exit_code == 0


def test_offline_a_child_in_another_process_keeps_a_run_of_its_own_in_one_group(
    server: WandbServer, tmp_path: Path
) -> None:
    environ = {"WANDB_MODE": "offline"}
    result = run(server, tmp_path, tasks.parent, inputs={"child": "shared_child"}, environ=environ)
    assert result.error is None, result.log
    found = by_id(tmp_path)
    assert set(found) == {"run1-a0", "run1-a0-a1"}
    assert {log.group for log in found.values()} == {"run1-a0"}
    assert found["run1-a0-a1"].logged("child") == [7]


def test_disabled_holds_in_a_container_too(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(settings=wandb.Settings(mode="disabled"))
    result = run(server, tmp_path, tasks.leaf, inputs={"x": 2}, context=context)
    assert (result.error, result.value) == (None, "run1-a0"), result.log
    assert server.runs == ()
    assert logs(tmp_path) == []


@pytest.mark.usefixtures("online")
def test_the_link_leads_to_the_page_of_the_run(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(project="a project", entity="the team")
    run(server, tmp_path, tasks.leaf, inputs={"x": 1}, context=context)
    (link,) = tasks.leaf.links
    address = link.get_link("run1", "project", "development", dict(context), "", "a0", "pod")
    assert address == server.run("run1-a0").url == f"{server.url}/the%20team/a%20project/runs/run1-a0"
    with urllib.request.urlopen(address) as page:
        assert "run1-a0" in page.read().decode()


def test_without_a_key_the_task_says_which_run_and_server_and_does_not_run(server: WandbServer, tmp_path: Path) -> None:
    result = run(server, tmp_path, tasks.leaf, inputs={"x": 1}, environ={"WANDB_BASE_URL": server.url})
    assert f"W&B did not open the run 'run1-a0' at {server.url}: UsageError: No API key configured" in str(result.error)
    assert "printed by the task" not in result.log
    assert server.runs == ()
