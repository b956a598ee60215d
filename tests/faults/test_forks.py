"""A fork is nobody's task: workers end as without us, and tell W&B nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from tests.faults import forking_tasks
from tests.faults.acting import run_outcome, start

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
