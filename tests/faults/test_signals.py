"""Signals, and processes that are killed: what W&B is told, and what is kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from tests.faults import tasks
from tests.faults.acting import ROWS, on_disk, proceed, run_outcome, start, wait_for_rows
from tests.versions import TORCH, with_torch


def test_sigterm_lets_a_body_that_blocks_the_loop_end_with_its_result(server: WandbServer, tmp_path: Path) -> None:
    container = start(tasks.blocks_the_loop, server, tmp_path, inputs={"rows": ROWS})
    wait_for_rows(server, ROWS)
    container.process.send_signal(signal.SIGTERM)
    server.wait_for(lambda server: server.run("run1-a0").preempting)
    proceed(tmp_path)
    result = container.wait()
    assert (result.exit_code, result.error, result.value) == (0, None, ROWS), result.log
    assert run_outcome(server.run("run1-a0")) == ("finished", 0, [0, 1, 2])


def test_sigkill_leaves_what_was_logged(server: WandbServer, tmp_path: Path) -> None:
    container = start(tasks.waits, server, tmp_path, inputs={"rows": ROWS})
    wait_for_rows(server, ROWS)
    container.process.kill()
    result = container.wait()
    assert (result.exit_code, result.error, result.value) == (-signal.SIGKILL, None, None)
    assert run_outcome(server.run("run1-a0")) == ("running", None, [0, 1, 2])
    assert on_disk(tmp_path).logged("row") == [0, 1, 2]


@pytest.fixture
def heeds_sigint() -> Iterator[None]:
    """Start processes that heed SIGINT: a shell that starts this suite in the background has all of them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_sigint")
@pytest.mark.parametrize("task", [tasks.waits, tasks.waits_async])
def test_sigint_stays_a_keyboard_interrupt(task: Any, server: WandbServer, tmp_path: Path) -> None:
    container = start(task, server, tmp_path, inputs={"rows": ROWS})
    wait_for_rows(server, ROWS)
    container.process.send_signal(signal.SIGINT)
    assert container.wait().exit_code == 1
    assert run_outcome(server.run("run1-a0")) == ("failed", 1, [0, 1, 2])


def test_sigterm_reaches_the_ranks_of_elastic(server: WandbServer, tmp_path: Path) -> None:
    elastic_tasks = with_torch("tests.faults.elastic_tasks")
    container = start(elastic_tasks.waits, server, tmp_path, inputs={"rows": ROWS}, warm=TORCH)
    wait_for_rows(server, ROWS)
    container.process.send_signal(signal.SIGTERM)
    result = container.wait()
    assert result.error is not None
    assert "got signal: 15" in result.error
    assert run_outcome(server.run("run1-a0")) == ("preempted", 143, [0, 1, 2])
