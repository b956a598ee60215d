"""What the tests of faults do to running tasks, and what they look at."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from flyte_wandb.testing import Container, RunRecord, WandbServer, start_container
from tests.faults.sigterm_tasks import READY
from tests.faults.tasks import PIPE
from tests.offline import Log, read

QUICK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "WANDB__FILE_STREAM_TRANSMIT_INTERVAL": "1",
        "WANDB__FILE_STREAM_RETRY_WAIT_MIN_SECONDS": "1",
        "WANDB__FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "1",
        "WANDB__DISABLE_STATS": "true",
        "WANDB__DISABLE_META": "true",
        "WANDB__SAVE_REQUIREMENTS": "false",
        "WANDB_CONSOLE": "off",
    }
)
"""W&B's client sends rows every 15 s and waits longer and longer for a server; here a second, its shortest."""

ROWS: Final = 3
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def start(
    task: Any, server: WandbServer, folder: Path, *, environ: Mapping[str, str] = NOTHING, **options: Any
) -> Container:
    """Start a task in a folder that has the pipe on which it can wait for `proceed`."""
    if not (folder / PIPE).exists():
        os.mkfifo(folder / PIPE)
    return start_container(task, folder=folder, environ={**server.environ, **QUICK, **environ}, **options)


def proceed(folder: Path) -> None:
    """Let a task go on that waits; blocks until it does."""
    (folder / PIPE).write_bytes(b"")


def wait_until_ready(container: Container, folder: Path) -> None:
    """Wait until a task has logged its rows; fail where its container ends before."""
    pipe = os.open(folder / READY, os.O_RDONLY | os.O_NONBLOCK)
    process = os.pidfd_open(container.process.pid)
    try:
        ready, _, _ = select.select([pipe, process], [], [], 90.0)
    finally:
        os.close(pipe)
        os.close(process)
    assert pipe in ready, container.wait().log


def wait_for_output(container: Container, text: str) -> None:
    """Read what a container prints until a line has a text; fail where the container ends before."""
    output = container.process.stdout
    assert output is not None
    assert any(text in line for line in output), container.wait().log


def wait_for_rows(server: WandbServer, rows: int, run_id: str = "run1-a0") -> None:
    """Wait until W&B has that many rows of a run."""
    server.wait_for(lambda server: len(server.run(run_id).history) >= rows, timeout=90)


def run_outcome(record: RunRecord) -> tuple[str, int | None, list[Any]]:
    """Return state, exit code and rows as W&B knows them."""
    return record.state, record.exit_code, record.logged("row")


def on_disk(folder: Path, kind: str = "run") -> Log:
    """Return the only log of a folder, whose process or service may have been killed.

    Args:
        folder: Where W&B has its own folder.
        kind: "run", or "offline-run".
    """
    (path,) = folder.glob(f"wandb/{kind}-2*/run-*.wandb")
    return read(path)
