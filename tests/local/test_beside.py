"""What this package and plugins add to a run stands beside what the user said anywhere, and replaces nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import hookimpl, use_plugin, wandb_config, wandb_init
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun, own_config
from tests.current import this_run

env = flyte.TaskEnvironment(name="beside")
TRIES: list[int] = []


class Acme:
    """A plugin that adds all that one can."""

    @hookimpl
    def contribute_run_settings(self) -> Mapping[str, Any]:
        config = {"centre": "acme", "seed": "acme", "lr": "acme"}
        return {"tags": ["acme"], "notes": "acme", "job_type": "acme", "config": config}


@pytest.fixture
def acme() -> Iterator[None]:
    with use_plugin(Acme(), name="acme"):
        yield


@wandb_init
@env.task(retries=1)
async def fails_at_first() -> str:
    run = this_run()
    TRIES.append(1)
    if len(TRIES) == 1:
        run.tags = (*(run.tags or ()), "from-the-body")
        run.notes = "from the body"
        run.config.update({"seed": 7}, allow_val_change=True)  # type: ignore[no-untyped-call]
        raise ConnectionError("the node went away")
    return run.id


@pytest.fixture(autouse=True)
def no_tries(online: WandbServer) -> None:
    TRIES.clear()


def test_tags_of_the_environment_and_of_the_body_stay_in_another_attempt(
    online: WandbServer, run_local: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_TAGS", "prod,team-a")
    run_local(fails_at_first)
    (record,) = online.runs
    assert record.tags == ("prod", "team-a", "from-the-body", "attempt-2")


def test_tags_of_a_setting_stand_beside_those_of_the_body_and_go_over_the_environments(
    online: WandbServer, run_local: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_TAGS", "prod")
    run_local(fails_at_first, context=wandb_config(tags=["mine"]))
    (record,) = online.runs
    assert set(record.tags) == {"mine", "from-the-body", "attempt-2"}


@pytest.mark.usefixtures("acme")
def test_what_a_plugin_adds_replaces_nothing_of_wandbs_variables_and_files(
    online: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tags", "notes", "job_type", "run_group"):
        monkeypatch.setenv(f"WANDB_{name.upper()}", "environment")
    (tmp_path / "config-defaults.yaml").write_text("seed: {value: file}\n")

    def function() -> str:
        return this_run().id

    record = online.run(wandb_init(config={"lr": 0.1})(function)())
    assert record.tags == ("environment", "acme")
    assert (record.notes, record.job_type, record.group) == ("environment", "environment", "environment")
    assert own_config(record) == {"centre": "acme", "seed": "file", "lr": 0.1}


@pytest.mark.usefixtures("acme")
def test_what_a_plugin_adds_replaces_nothing_of_another_attempt(online: WandbServer, run_local: LocalRun) -> None:
    run_local(fails_at_first)
    (record,) = online.runs
    assert set(record.tags) == {"acme", "from-the-body", "attempt-2"}
    assert (record.notes, record.job_type) == ("from the body", "acme")
    assert own_config(record) == {"centre": "acme", "seed": 7, "lr": "acme"}


def test_a_group_of_the_environment_stays_and_one_of_a_setting_goes_over_it(
    online: WandbServer, run_local: LocalRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_GROUP", "environment")
    run_local(fails_at_first, context=wandb_config(on_retry="new", id="a"))
    assert [record.group for record in online.runs] == ["environment", "environment"]
    TRIES.clear()
    run_local(fails_at_first, context=wandb_config(on_retry="new", id="b", group="mine"))
    assert [record.group for record in online.runs][2:] == ["mine", "mine"]
