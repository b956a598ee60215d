"""What the death of W&B's service leaves in the process of the task."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flyte_wandb.testing import WandbServer
from tests.faults import local_tasks
from tests.faults.acting import told
from tests.remote import run_action
from tests.services import kill_services

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
    assert told(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2])


def test_a_run_whose_service_has_died_leaves_no_file_open(quick: WandbServer, tmp_path: Path) -> None:
    local_tasks.MEANWHILE.append(lambda: kill_services(tmp_path))
    assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
    files = [one.baseFilename for one in logging.getLogger("wandb").handlers if isinstance(one, logging.FileHandler)]
    assert [name for name in files if name.startswith(str(tmp_path))] == []
