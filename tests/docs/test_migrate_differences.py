"""What the page says is different on purpose, where no other test proves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import (
    FlyteWandbError,
    RefusedError,
    SettingError,
    Wandb,
    WandbSweep,
    get_wandb_context,
    get_wandb_run,
    wandb_config,
    wandb_init,
    wandb_sweep,
)
from tests.conftest import LocalRun
from tests.docs.pages import blocks

env = flyte.TaskEnvironment(name="differences")
cluster = ClusteredTaskEnvironment(name="difference_cluster", replicas=2, nproc_per_node=1)
PLACE: Any = {"project": "vision", "entity": "team"}


def nothing() -> None: ...


def url(link: Any, context: dict[str, str] | None = None) -> str:
    return str(link.get_link("r1", "p", "d", context, "", "a0", ""))


@pytest.mark.usefixtures("clean_client")
def test_links_lead_to_the_server_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "/team/vision/runs/r1-a0"
    monkeypatch.setenv("WANDB_BASE_URL", "https://variable.example")
    context = wandb_config(host="https://context.example")
    assert url(Wandb(**PLACE)) == f"https://variable.example{page}"
    assert url(Wandb(**PLACE), context) == f"https://context.example{page}"
    assert url(Wandb(**PLACE, host="https://link.example"), context) == f"https://link.example{page}"


def test_links_have_names_in_lower_case() -> None:
    task: Any = wandb_init(rank_scope="worker")(cluster.task(nothing))
    assert [link.name for link in task.links] == ["Weights & Biases worker 0", "Weights & Biases worker 1"]
    assert WandbSweep().name == "Weights & Biases sweep"


@wandb_init(run_mode="shared")
@env.task
def shares() -> None: ...


@pytest.mark.usefixtures("offline")
def test_errors_are_of_these_types(run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="no action above this one is tracked") as caught:
        run_local(shares)
    assert RefusedError.__name__ in str(caught.value.code)
    assert issubclass(RefusedError, FlyteWandbError)
    with pytest.raises(SettingError) as refused:
        wandb_sweep(nothing)  # type: ignore[call-overload]
    assert isinstance(refused.value, ValueError)


def test_two_lines_write_the_history_as_one_file(tmp_path: Path) -> None:
    (block,) = (one for one in blocks("docs/migrate.md") if "metrics_history.json" in one.text)
    rows = [{"_step": 0, "loss": 0.5}, {"_step": 1, "loss": 0.25}]
    (tmp_path / "history.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    exec(block.text, {"json": json, "folder": tmp_path})
    assert json.loads((tmp_path / "metrics_history.json").read_text()) == rows


@wandb_init
@env.task
def reads() -> str:
    return str(get_wandb_run().project)  # type: ignore[union-attr]


@env.task
def writes() -> list[str]:
    context: Any = get_wandb_context()
    context["wandb_project"] = "written"
    context.update(wandb_entity="them")
    unchanged = reads()
    with wandb_config(project="in-a-block"):
        return [unchanged, reads()]


@pytest.mark.usefixtures("offline")
def test_writes_to_the_context_change_a_copy_and_a_block_changes_it(run_local: LocalRun) -> None:
    assert run_local(writes, context=wandb_config(project="vision")) == ["vision", "in-a-block"]


@env.task
def opens_by_hand() -> list[bool]:
    run = wandb.init(project="vision")
    seen = [get_wandb_run() is None, wandb.run is run]
    run.finish()
    return seen


@pytest.mark.usefixtures("offline")
def test_a_run_that_you_open_yourself_is_wandb_run(run_local: LocalRun) -> None:
    assert run_local(opens_by_hand) == [True, True]
