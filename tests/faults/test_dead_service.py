"""What the death of W&B's service leaves in the process of the task."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._log_values import wait_for_end
from tests.faults import local_tasks
from tests.faults.acting import run_outcome
from tests.offline import read
from tests.remote import run_action
from tests.services import kill_services, stopped_services

ROWS = 3


def run(folder: Path, task: Any) -> Any:
    return asyncio.run(run_action(task, rows=ROWS, folder=folder))


def test_a_run_is_opened_though_the_service_dies_while_it_waits_for_the_server(
    quick: WandbServer, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool, quick.paused():
        ended = pool.submit(run, tmp_path, local_tasks.logs)
        quick.wait_for(lambda server: server.held)
        kill_services(tmp_path)
    assert ended.result() == "r1-a0"
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2])


def test_a_run_whose_service_has_died_leaves_no_file_open(quick: WandbServer, tmp_path: Path) -> None:
    local_tasks.MEANWHILE.append(lambda: kill_services(tmp_path))
    assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
    files = [one.baseFilename for one in logging.getLogger("wandb").handlers if isinstance(one, logging.FileHandler)]
    assert [name for name in files if name.startswith(str(tmp_path))] == []


def test_a_silent_service_costs_the_bound_and_no_row(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B has the silent process count its own bounds. What it was sent it writes when it wakes up."""
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")
    with ExitStack() as silence:
        local_tasks.MEANWHILE.append(lambda: silence.enter_context(stopped_services(tmp_path)))
        assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
        assert asyncio.run(run_action(local_tasks.logs, rows=ROWS, folder=tmp_path, name="a1")) == "r1-a1"
    assert run_outcome(quick.run("r1-a1")) == ("finished", 0, [0, 1, 2])
    quick.wait_for(lambda server: server.run("r1-a0").state == "finished", timeout=60)
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2, 0, 1, 2])
    (log,) = tmp_path.glob("wandb/run-*-r1-a0/*.wandb")
    assert wait_for_end(log)
    assert read(log).logged("row") == [0, 1, 2, 0, 1, 2]


def test_a_run_is_opened_though_the_service_is_silent(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyte_wandb.wandb_client._init._START_SECONDS", 1.0)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "4")
    assert run(tmp_path, local_tasks.logs) == "r1-a0"
    with stopped_services(tmp_path):
        assert asyncio.run(run_action(local_tasks.logs, rows=ROWS, folder=tmp_path, name="a1")) == "r1-a1"
    assert run_outcome(quick.run("r1-a1")) == ("finished", 0, [0, 1, 2])
