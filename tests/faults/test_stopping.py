"""Stop in W&B's UI ends a task cleanly."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from flyte_wandb import RunStoppedError
from flyte_wandb.testing import WandbServer
from tests.faults import local_tasks
from tests.faults.acting import ROWS, run_outcome
from tests.remote import run_action

TASKS = {"r1-a1": local_tasks.never_ends, "r1-a2": local_tasks.never_ends_in_thread}


def test_a_run_that_is_stopped_ends_its_task(quick: WandbServer, tmp_path: Path) -> None:
    """W&B's client looks every 15 s, so one test has both kinds of tasks."""
    for run_id in TASKS:
        quick.put_run(run_id, state="running")
        quick.stop_run(run_id)

    async def stopped() -> list[Any]:
        actions = [run_action(task, rows=ROWS, folder=tmp_path, name=run_id[3:]) for run_id, task in TASKS.items()]
        return await asyncio.gather(*actions, return_exceptions=True)

    errors = asyncio.run(stopped())
    assert [type(error) for error in errors] == [RunStoppedError, RunStoppedError]
    assert {str(error) for error in errors} == {"the run was stopped in W&B's UI"}
    assert [run_outcome(quick.run(run_id)) for run_id in TASKS] == [("killed", 1, [0, 1, 2])] * 2
