"""No space left where W&B keeps its log: the task goes on, and W&B has the rows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from tests.faults import tasks
from tests.faults.acting import ROWS, run_outcome, start

LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Options of a container with 64 KiB for W&B's log: a file system that small, or a limit for files."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        yield {"launcher": [sys.executable, "-c", LIMITED]}  # who is not root cannot mount anything
        return
    yield {"environ": {"WANDB_DIR": str(folder)}}
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_costs_neither_result_nor_rows(
    server: WandbServer, tmp_path: Path, small_disk: dict[str, Any]
) -> None:
    result = start(tasks.logs_much, server, tmp_path, inputs={"rows": ROWS}, **small_disk).wait()
    assert (result.error, result.value) == (None, "run1-a0"), result.log
    assert run_outcome(server.run("run1-a0")) == ("finished", 0, [0, 1, 2])
    (log,) = tmp_path.glob("**/run-2*/run-*.wandb")
    assert log.stat().st_size <= 64 * 1024
