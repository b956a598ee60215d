"""What Flyte offers around a tracked task: maps, reusable containers and reports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import wandb_init
from flyte_wandb.testing import WandbServer, run_container
from tests.conftest import LocalRun
from tests.current import this_run
from tests.integrations import tasks
from tests.remote import run_action

env = flyte.TaskEnvironment(name="maps")


@wandb_init(run_mode="new")
@env.task
def own(x: int) -> str:
    this_run().log({"x": x})
    return this_run().id


@wandb_init
@env.task
def parents(x: int) -> str:
    this_run().log({"x": x})
    return this_run().id


@wandb_init(run_mode="new")
@env.task
async def own_async(x: int) -> str:
    this_run().log({"x": x})
    return this_run().id


@wandb_init
@env.task
async def parents_async(x: int) -> str:
    this_run().log({"x": x})
    return this_run().id


@wandb_init
@env.task
def maps(over: str) -> list[str]:
    return [this_run().id, *map(str, flyte.map(globals()[over], range(3)))]


@wandb_init
@env.task
async def maps_async(over: str) -> list[str]:
    return [this_run().id, *[str(one) async for one in flyte.map.aio(globals()[over], range(3))]]


@pytest.mark.parametrize(("mapping", "over"), [(maps, "own"), (maps_async, "own_async")], ids=["sync", "async"])
def test_each_item_of_a_map_has_a_run_of_its_own(
    mapping: Any, over: str, online: WandbServer, run_local: LocalRun
) -> None:
    parent, *items = run_local(mapping, over)
    assert len({parent, *items}) == 4
    assert [online.run(item).logged("x") for item in items] == [[0], [1], [2]]
    assert [run.state for run in online.runs] == ["finished"] * 4


@pytest.mark.parametrize(("mapping", "over"), [(maps, "parents"), (maps_async, "parents_async")], ids=["sync", "async"])
def test_the_items_of_a_map_write_to_their_parents_run(
    mapping: Any, over: str, online: WandbServer, run_local: LocalRun
) -> None:
    assert len(set(run_local(mapping, over))) == 1
    (run,) = online.runs
    assert (sorted(run.logged("x")), run.state) == ([0, 1, 2], "finished")


reusable = flyte.TaskEnvironment(name="reusable", reusable=flyte.ReusePolicy(replicas=1, concurrency=2))
BOTH = asyncio.Event()
HERE: list[str] = []


@wandb_init
@reusable.task
async def meets(x: int) -> str:
    """Log only when another action has its run in this process, too."""
    HERE.append(this_run().id)
    await BOTH.wait() if len(HERE) < 2 else BOTH.set()
    this_run().log({"x": x})
    if x == 2:
        raise ValueError("the user's own")
    return this_run().id


def test_two_actions_at_once_in_a_reusable_container_have_their_own_runs_and_outcomes(
    online: WandbServer, tmp_path: Path
) -> None:
    async def both() -> list[Any]:
        HERE.clear()
        BOTH.clear()
        actions = (run_action(meets, x=x, folder=tmp_path, name=f"a{x}") for x in (1, 2))
        return await asyncio.gather(*actions, return_exceptions=True)

    first, second = asyncio.run(both())
    assert (first, str(second)) == ("r1-a1", "the user's own")
    runs = [online.run(f"r1-a{x}") for x in (1, 2)]
    assert [(run.state, run.exit_code, run.logged("x")) for run in runs] == [("finished", 0, [1]), ("failed", 1, [2])]


@pytest.mark.parametrize("fails", [False, True])
def test_the_report_of_a_task_is_what_it_is_without_a_run(fails: bool, server: WandbServer, tmp_path: Path) -> None:
    reports = []
    for task in (tasks.bare, tasks.tracked):
        folder = tmp_path / task.short_name
        folder.mkdir()
        result = run_container(task, folder=folder, inputs={"fails": fails}, environ=server.environ)
        assert (result.error is not None) == fails, result.log
        (report,) = folder.rglob("report.html")
        reports.append(report.read_text())
    assert tasks.tracked.report, "Flyte shows the report of a task that says so"
    assert "the user's own" in reports[0]
    assert reports[1].replace("tracked", "bare") == reports[0]
    (run,) = server.runs
    assert run.state == ("failed" if fails else "finished")
