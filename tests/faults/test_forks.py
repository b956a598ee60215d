"""A fork is nobody's task: workers end as without us, and tell W&B nothing."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from tests.faults import forking_tasks
from tests.faults.acting import run_outcome, start, wait_until_ready
from tests.faults.sigterm_tasks import READY
from tests.services import ends
from tests.versions import TORCH, with_torch

TERMINATED = ("worker", "spawned_worker", "forkserver_worker", "subprocess")
ENDS = "; ".join(f"terminated_{one} -15" for one in TERMINATED) + "; pool [1, 2]; executor [1, 2]; terminated_child -15"


@pytest.mark.parametrize(
    ("task", "leaving"),
    [
        # Flyte's thread ends with the function, whatever it raises, and with its last thread the child: as bare.
        (forking_tasks.tracked, "child_that_exits 0; child_that_raises 0"),
        (forking_tasks.tracked_async, "child_that_exits 3; child_that_raises 1"),
    ],
)
def test_forked_workers_end_as_in_a_bare_task_and_leave_its_run_alone(
    task: Any, leaving: str, server: WandbServer, tmp_path: Path
) -> None:
    result = start(task, server, tmp_path).wait()
    assert (result.value, result.exit_code) == (f"{ENDS}; {leaving}", 0), result.log
    assert run_outcome(server.run("run1-a0")) == ("finished", 0, [0])
    assert not server.run("run1-a0").preempting
    assert "ForkedError" not in result.log


def test_workers_of_a_data_loader_end_as_in_a_bare_task_and_with_it(server: WandbServer, tmp_path: Path) -> None:
    loading_tasks = with_torch("tests.faults.loading_tasks")

    def logged(task: Any) -> list[list[int]]:
        """Preempt a task whose workers wait, and return the processes of its workers."""
        name = task.func.__name__.replace("_", "")
        folder = tmp_path / name
        folder.mkdir()
        os.mkfifo(folder / READY)
        container = start(task, server, folder, action_name=name, warm=TORCH)
        wait_until_ready(container, folder)
        run_id = f"run1-{name}"
        server.wait_for(lambda server: server.run(run_id).logged("exit codes"), timeout=90)
        assert (server.run(run_id).state, server.run(run_id).preempting) == ("running", False)
        container.process.send_signal(signal.SIGTERM)
        assert container.wait().exit_code == 143
        record = server.run(run_id)
        assert (record.state, record.logged("sum"), record.logged("exit codes")) == ("preempted", [28], [[0, 0]])
        return [*record.logged("left"), *record.logged("waiting")]

    with ThreadPoolExecutor() as pool:
        workers = [*pool.map(logged, (loading_tasks.loads, loading_tasks.loads_async))]
    assert [process for one in workers for pair in one for process in pair if not ends(process)] == []
