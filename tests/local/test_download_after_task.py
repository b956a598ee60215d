"""`download_logs` after a task: its own run comes to Flyte's storage, and what goes wrong costs no result."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import SettingError, run_sweep, wandb_config, wandb_init, wandb_sweep
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.current import this_run
from tests.versions import with_torch

env = flyte.TaskEnvironment(name="homecoming")


def log(x: int) -> int:
    run = this_run()
    run.log({"x": x})
    return x


@wandb_init(download_logs=True)
@env.task
def in_thread(x: int) -> int:
    return log(x)


@wandb_init(download_logs=True)
@env.task
async def in_loop(x: int) -> int:
    return log(x)


@wandb_init
@env.task
async def by_context(x: int) -> int:
    return log(x)


@wandb_init
@env.task
async def parent(x: int) -> int:
    log(x)
    return await by_context(x + 1)


@wandb_sweep(download_logs=True, method="grid", parameters={"x": {"values": [1, 2]}})
@env.task
async def search() -> int:
    return len(await run_sweep(by_context, heartbeat=0.05))


@wandb_init(download_logs=True)
@env.task
async def fails(x: int) -> int:
    log(x)
    raise ValueError("the user's own")


def brought(folder: Path) -> dict[str, list[Any]]:
    """The rows of each run that is in Flyte's storage, by its id."""
    found = {}
    for one in folder.rglob("run.json"):
        rows = [json.loads(line) for line in (one.parent / "history.jsonl").read_text().splitlines()]
        found[json.loads(one.read_text())["id"]] = [row["x"] for row in rows]
    return found


@pytest.mark.parametrize("task", [in_thread, in_loop], ids=["sync", "async"])
def test_the_decorator_brings_the_run_of_its_task(
    task: Any, online: WandbServer, run_local: LocalRun, tmp_path: Path
) -> None:
    assert run_local(task, 3) == 3
    (run,) = online.runs
    assert brought(tmp_path / "raw") == {run.id: [3]}


def test_the_context_brings_each_run_once_also_where_a_child_writes_to_it(
    online: WandbServer, run_local: LocalRun, tmp_path: Path
) -> None:
    assert run_local(parent, 1, context=wandb_config(download_logs=True)) == 2
    (run,) = online.runs
    assert brought(tmp_path / "raw") == {run.id: [1, 2]}


def test_the_task_that_made_a_sweep_brings_all_of_its_runs(
    online: WandbServer, run_local: LocalRun, tmp_path: Path
) -> None:
    assert run_local(search) == 2
    assert brought(tmp_path / "raw") == {run.id: [run.config["x"]] for run in online.runs}
    assert len(online.runs) == 2


def test_the_decorator_goes_over_the_context(online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(in_loop, 1, context=wandb_config(download_logs=False)) == 1
    assert len(brought(tmp_path / "raw")) == 1


def test_a_task_that_fails_brings_nothing(online: WandbServer, run_local: LocalRun, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the user's own"):
        run_local(fails, 1)
    assert brought(tmp_path / "raw") == {}


def test_a_download_that_fails_costs_no_result_and_says_how_to_fetch_the_run_later(
    online: WandbServer, run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    online.fault("RunFiles", status=403, times=None)
    with caplog.at_level(logging.ERROR, "flyte_wandb"):
        assert run_local(in_loop, 3) == 3
    (run,) = online.runs
    assert (run.state, brought(tmp_path / "raw")) == ("finished", {})
    (message,) = [record.getMessage() for record in caplog.records if record.name == "flyte_wandb"]
    assert run.url in message
    assert message.endswith(f"download it later with `flyte-wandb download local/uncategorized/{run.id}`")


def test_offline_there_is_nothing_to_bring(
    offline: None, run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_local(in_loop, 3) == 3
    assert brought(tmp_path / "raw") == {}
    assert "nothing to download for the run" in caplog.text


def test_ranks_are_told_at_once_how_to_do_it() -> None:
    elastic = with_torch("flyteplugins.pytorch.task").Elastic(nproc_per_node=2, nnodes=1)
    ranks = flyte.TaskEnvironment(name="ranks", plugin_config=elastic)

    @ranks.task
    def train() -> int:
        return 1

    with pytest.raises(SettingError) as caught:
        wandb_init(download_logs=True)(train)
    assert str(caught.value) == (
        "wandb_init(download_logs=True) does not work on the ranks of 'ranks.train': the runs of ranks end one "
        "after the other, and Flyte runs no code of the task after the last one; download them in the next task, "
        "with download_wandb_run_logs(...) for each run"
    )
