"""Downloads as steps of Flyte: traced, beside the event loop, stopped with their task, and never its end."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import flyte
import flyte.io
import pytest
from flyte.cli._tui._tracker import ActionTracker

from flyte_wandb import DownloadError, download_wandb_run_dir, download_wandb_run_logs, download_wandb_sweep_logs
from flyte_wandb.results.downloads._after_task import download_after_task, download_after_task_async
from flyte_wandb.results.downloads._reference import Reference
from flyte_wandb.testing import WandbServer, run_container
from tests.conftest import LocalRun
from tests.downloads.runs import small_run, whole
from tests.downloads.tasks import home_apart
from tests.remote import run_action

pytestmark = pytest.mark.usefixtures("online")
env = flyte.TaskEnvironment(name="steps")
RUN = Reference(id="r1", project="p")


@env.task
async def logs(run_id: str) -> flyte.io.Dir:
    return await download_wandb_run_logs(run_id, project="p")


@env.task
def home() -> str:
    download_after_task(RUN)
    return "done"


@env.task
async def home_async() -> str:
    await download_after_task_async(RUN)
    return "done"


@env.task
async def sweep_logs(sweep_id: str) -> flyte.io.Dir:
    return await download_wandb_sweep_logs(sweep_id, project="p")


def steps_of(task: Any, *arguments: Any, folder: Path) -> list[tuple[str, str]]:
    """Run a task in Flyte's local mode, and return name and status of the actions that Flyte has seen."""
    tracker = ActionTracker()
    runner: Any = flyte.with_runcontext(mode="local", raw_data_path=str(folder / "raw"))
    runner._tracker, runner._metadata_path = tracker, str(folder / "metadata")
    flyte.init()
    runner.run(task, *arguments)
    return [(node.task_name, node.status.value) for node in tracker._nodes.values()]


def brought(folder: Path) -> list[Path]:
    return [path.parent for path in (folder / "raw").glob("wandb-*/run.json")]


@pytest.mark.parametrize(("task", "step"), [(home, "wandb_logs"), (home_async, "wandb_logs_async")])
def test_what_a_decorator_brings_home_is_a_step_of_the_task(
    task: Any, step: str, server: WandbServer, tmp_path: Path
) -> None:
    record = small_run(server)
    assert (step, "succeeded") in steps_of(task, folder=tmp_path)
    (folder,) = brought(tmp_path)
    assert whole(folder, record)
    assert not (folder / ".flyte-wandb-download").exists()
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("task", [home, home_async])
def test_what_fails_on_the_way_home_is_one_logged_error_and_the_task_keeps_its_result(
    task: Any, server: WandbServer, tmp_path: Path, run_local: LocalRun, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_local(task) == "done"
    (said,) = [record.getMessage() for record in caplog.records if record.name == "flyte_wandb"]
    assert "W&B does not know the run p/r1" in said
    assert "download it later with `flyte-wandb download p/r1`" in said
    assert brought(tmp_path) == []


def test_a_task_returns_the_logs_of_a_run_and_of_a_sweep(
    server: WandbServer, tmp_path: Path, run_local: LocalRun
) -> None:
    sweep = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
    record = small_run(server, sweep=sweep)
    assert whole(Path(run_local(logs, "r1").path), record)
    assert whole(Path(run_local(sweep_logs, sweep).path) / "r1", record)


def test_it_is_a_step_in_mode_remote_too(server: WandbServer, tmp_path: Path) -> None:
    record = small_run(server)
    found = asyncio.run(run_action(logs, folder=tmp_path, run_id="r1"))
    assert whole(Path(found.path), record)
    assert Path(found.path).parent == tmp_path / "a0" / "raw"


def test_without_a_controller_it_comes_home_untraced(server: WandbServer, tmp_path: Path) -> None:
    record = small_run(server)
    result = run_container(home_apart, folder=tmp_path, environ=server.environ)
    assert result.error is None, result.log
    (path,) = tmp_path.rglob("wandb-run-*/run.json")
    assert whole(path.parent, record)


def test_outside_of_flyte_it_is_a_temporary_folder(server: WandbServer, tmp_path: Path) -> None:
    record = small_run(server)
    assert whole(Path(asyncio.run(download_wandb_run_logs("p/r1")).path), record)


def test_a_cancelled_download_ends_at_once_and_leaves_nothing(server: WandbServer, temporary_folders: Path) -> None:
    small_run(server, files={f"{number}.txt": b"%d" % number for number in range(30)})
    server.slow("download", 600)

    async def cancelled() -> None:
        task = asyncio.create_task(download_wandb_run_logs("p/r1"))
        await asyncio.to_thread(server.wait_for, lambda server: server.requests["download"] >= 16)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(cancelled(), 30))
    server.heal()
    assert list(temporary_folders.glob("wandb-run-*")) == []
    assert server.requests["download"] == 16


def test_an_async_error_is_the_same_as_a_blocking_one(server: WandbServer) -> None:
    with pytest.raises(DownloadError, match="W&B does not know the run p/none"):
        asyncio.run(download_wandb_run_logs("p/none"))


def test_a_blocking_download_on_an_event_loop_says_what_keeps_the_loop_free(
    server: WandbServer, caplog: pytest.LogCaptureFixture
) -> None:
    small_run(server)

    async def blocking() -> str:
        return download_wandb_run_dir("p/r1")

    asyncio.run(blocking())
    asyncio.run(blocking())
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    (said,) = [text for text in warnings if "event loop" in text]
    assert "use `await download_wandb_run_logs(...)`, or `await asyncio.to_thread(download_wandb_run_dir, ...)`" in said
