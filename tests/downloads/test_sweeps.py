"""All runs of a sweep come home, each into a folder of its own."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import flyte
import flyte.io
import pytest

from flyte_wandb import (
    DownloadError,
    download_wandb_sweep_dirs,
    download_wandb_sweep_logs,
    wandb_config,
    wandb_sweep_config,
)
from flyte_wandb.testing import WandbServer
from tests.conftest import LocalRun
from tests.downloads.runs import document, small_run, whole
from tests.messages import own_messages
from tests.remote import run_action

pytestmark = pytest.mark.usefixtures("online")
CONFIG = {"method": "grid", "parameters": {"x": {"values": [1, 2]}}}
IDS = [f"trial-{number}" for number in (3, 1, 4, 5, 9)]
env = flyte.TaskEnvironment(name="sweeps")


@env.task
async def logs_of_sweep(sweep_id: str) -> flyte.io.Dir:
    return await download_wandb_sweep_logs(sweep_id, project="p")


@env.task
def folders_of_the_sweep(base: str) -> list[str]:
    return download_wandb_sweep_dirs(base_path=base)


def put_sweep(server: WandbServer, **place: Any) -> str:
    sweep = server.put_sweep(CONFIG, **{"project": "p", **place})
    for run_id in IDS:
        small_run(server, run_id, sweep=sweep, summary={"id": run_id}, **place)
    small_run(server, "no-trial", **place)
    return sweep


def test_the_runs_of_a_sweep_come_together_whole_and_in_its_order(server: WandbServer, tmp_path: Path) -> None:
    sweep = put_sweep(server)
    server.fault("download", status=503, times=2)
    server.slow("RunFiles", 600)
    with ThreadPoolExecutor(1) as thread:
        download = thread.submit(download_wandb_sweep_dirs, sweep, tmp_path / "sweep", project="p")
        try:
            server.wait_for(lambda server: server.requests["RunFiles"] == len(IDS), timeout=20)
        finally:
            server.slow("RunFiles", 0)
        found = download.result()
    assert found == [str(tmp_path / "sweep" / run_id) for run_id in IDS]
    assert all(whole(Path(folder), server.run(run_id)) for folder, run_id in zip(found, IDS, strict=True))
    assert {document(Path(folder), "run.json")["sweep"] for folder in found} == {sweep}


def test_a_run_that_cannot_be_had_keeps_no_other_from_coming(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = put_sweep(server)
    refused = [IDS[1], IDS[3]]
    for run_id in refused:
        server.fault(f"download:{run_id}/a.txt", status=403, times=None)
    found = download_wandb_sweep_dirs(f"local/p/{sweep}", tmp_path)
    assert found == [str(tmp_path / run_id) for run_id in IDS if run_id not in refused]
    (warning,) = own_messages(caplog)
    assert re.match(rf"2 of 5 runs of the sweep local/p/{sweep} .* were not downloaded", warning)
    assert [f"{run_id}: the run {run_id} (" in warning for run_id in IDS] == [run_id in refused for run_id in IDS]
    assert warning.endswith(f"; the others are in {tmp_path}")
    assert sorted(path.parent.name for path in tmp_path.glob("*/run.json")) == sorted({*IDS} - {*refused})


def test_of_many_runs_that_cannot_be_had_some_are_named(server: WandbServer, tmp_path: Path) -> None:
    sweep = server.put_sweep(CONFIG, project="p")
    for number in range(7):
        small_run(server, f"many-{number}", sweep=sweep)
    server.fault("download", status=403, times=None)
    with pytest.raises(DownloadError, match=r"7 of 7 runs .*many-4: .*; and 2 more") as missing:
        download_wandb_sweep_dirs(f"local/p/{sweep}", tmp_path)
    assert "many-5" not in str(missing.value)
    assert missing.value.downloaded == ()


def test_the_other_runs_are_in_flytes_storage(
    server: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = put_sweep(server)
    server.fault(f"download:{IDS[1]}/a.txt", status=403, times=None)
    found = asyncio.run(run_action(logs_of_sweep, folder=tmp_path, sweep_id=sweep))
    (warning,) = [message for message in own_messages(caplog) if "not downloaded" in message]
    assert re.search(rf"{IDS[1]}: .*403.*; the others are in {found.path}", warning)
    others = [run_id for run_id in IDS if run_id != IDS[1]]
    assert sorted(place.name for place in Path(found.path).iterdir()) == sorted(others)
    assert all(whole(Path(found.path) / run_id, server.run(run_id)) for run_id in others)


def test_a_task_below_a_sweep_downloads_that_one_from_its_own_place(
    server: WandbServer, tmp_path: Path, run_local: LocalRun
) -> None:
    sweep = put_sweep(server, project="searches", entity="team")
    place = {**wandb_config(project="elsewhere", entity="team"), **wandb_sweep_config(project="searches")}
    found = run_local(folders_of_the_sweep, str(tmp_path / "sweep"), context={**place, "_wandb_sweep_id": sweep})
    assert [Path(folder).name for folder in found] == IDS


def test_a_sweep_that_nobody_has_is_an_error(server: WandbServer) -> None:
    with pytest.raises(DownloadError, match="W&B does not know the sweep p/none"):
        download_wandb_sweep_dirs("none", project="p")
    with pytest.raises(DownloadError, match="there is no sweep here"):
        download_wandb_sweep_dirs()


def test_a_run_is_no_sweep(server: WandbServer) -> None:
    with pytest.raises(DownloadError, match="is a run; download it as one, or name a sweep"):
        download_wandb_sweep_dirs("team/p/runs/r1")
