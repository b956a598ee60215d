"""The way back from W&B to Flyte: every run names the action that opened it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import wandb_config
from flyte_wandb.testing import WandbServer, run_container, run_ranks
from tests.container import tasks
from tests.ranks.tasks import ranked

HERE = {"project": "project", "domain": "development"}


def test_a_run_names_its_action_and_each_attempt_renews_it(server: WandbServer, tmp_path: Path) -> None:
    endpoint = {"_U_EP_OVERRIDE": "dns:///flyte.example.com"}
    for attempt in (0, 1):
        environ = server.environ | endpoint | {"FLYTE_ATTEMPT_NUMBER": str(attempt)}
        result = run_container(tasks.leaf, folder=tmp_path, inputs={"x": 1}, environ=environ, label=str(attempt))
        assert result.error is None, result.log
        found = server.run("run1-a0").config["flyte"]
        page = found.pop("url")
        assert found == {"run": "run1", "action": "a0", "attempt": attempt + 1, "task": "container.leaf", **HERE}
        assert page.startswith("https://flyte.example.com/v2/domain/development/project/project/runs/run1")


def test_a_child_that_writes_to_its_parents_run_leaves_it_to_the_parent(server: WandbServer, tmp_path: Path) -> None:
    run_container(tasks.parent, folder=tmp_path, inputs={"child": "shared_child"}, environ=server.environ)
    (record,) = server.runs
    assert record.config == {
        "flyte": {"run": "run1", "action": "a0", "attempt": 1, "task": "container.parent", **HERE},
        "parent": True,
        "child": True,
    }


def test_ranks_name_the_action_that_they_are(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(run_mode="new")
    environ = server.environ | {"FLYTE_CONSOLE_ENDPOINT": "https://flyte.example.com"}
    options: dict[str, Any] = {"inputs": {"steps": 1}, "context": context, "environ": environ}
    assert [result.error for result in run_ranks(ranked, folder=tmp_path, **options)] == [None, None]
    told = [record.config["flyte"] for record in server.runs]
    assert [(one["action"], one["task"], "flyte.example.com" in one["url"]) for one in told] == [
        ("a0", "clustered.ranked", True)
    ] * 2


@pytest.mark.parametrize("config", [{}, {"flyte": "mine"}])
def test_it_can_be_left_out_and_never_overrides_the_users(
    config: dict[str, str], server: WandbServer, tmp_path: Path
) -> None:
    context = wandb_config(flyte_identity=bool(config), config=config, run_mode="new")
    result = run_container(tasks.new_child, folder=tmp_path, inputs={"x": 1}, context=context, environ=server.environ)
    assert result.error is None, result.log
    assert server.run("run1-a0").config == config
