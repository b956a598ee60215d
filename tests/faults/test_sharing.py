"""Runs with several writers: who dies, who is late, who comes first, and who should not have come."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import RunInUseError, wandb_config
from flyte_wandb.testing import Container, WandbServer, start_ranks
from tests.faults import local_tasks, tasks
from tests.faults.acting import QUICK, ROWS, proceed, run_outcome, start, wait_for_rows
from tests.remote import run_action

SHARED = wandb_config(run_mode="shared")


def start_two(task: Any, server: WandbServer, folder: Path, **inputs: Any) -> list[Container]:
    os.mkfifo(folder / tasks.PIPE)
    environ = {**server.environ, **QUICK}
    return start_ranks(task, folder=folder, environ=environ, inputs=inputs, context=SHARED)


def rows_of(server: WandbServer, rank: int) -> list[int]:
    return [row["row"] for row in server.run("run1-a0").history if row["rank"] == rank]


def test_the_kill_of_a_primary_leaves_the_rows_of_all_and_no_end(server: WandbServer, tmp_path: Path) -> None:
    primary, secondary = start_two(tasks.waits_as_a_rank, server, tmp_path, rows=ROWS, waiting=0)
    server.wait_for(lambda server: rows_of(server, 0) == [0, 1, 2])
    primary.process.send_signal(signal.SIGKILL)
    assert [primary.wait().exit_code, secondary.wait().exit_code] == [-9, 0]
    assert [rows_of(server, rank) for rank in (0, 1)] == [[0, 1, 2]] * 2
    assert run_outcome(server.run("run1-a0"))[:2] == ("running", None)


@pytest.mark.parametrize("killed", [False, True], ids=["late", "killed"])
def test_a_secondary_that_is_late_or_killed_leaves_the_run_to_its_primary(
    killed: bool, server: WandbServer, tmp_path: Path
) -> None:
    primary, secondary = start_two(tasks.waits_as_a_rank, server, tmp_path, rows=ROWS, waiting=1)
    assert primary.wait().error is None
    server.wait_for(lambda server: rows_of(server, 1) == [0, 1, 2])
    assert run_outcome(server.run("run1-a0"))[:2] == ("finished", 0)
    secondary.process.send_signal(signal.SIGKILL) if killed else proceed(tmp_path)
    assert secondary.wait().exit_code == (-9 if killed else 0)
    assert run_outcome(server.run("run1-a0"))[:2] == ("finished", 0)
    assert rows_of(server, 1) == ([0, 1, 2] if killed else [0, 1, 2, 0, 1, 2])


def test_first_inits_that_collide_share_the_run(server: WandbServer, tmp_path: Path) -> None:
    server.fault("UpsertBucket", status=409, times=3)
    both = start_two(tasks.waits_as_a_rank, server, tmp_path, rows=ROWS, waiting=-1)
    assert [rank.wait().exit_code for rank in both] == [0, 0]
    assert [rows_of(server, rank) for rank in (0, 1)] == [[0, 1, 2]] * 2
    assert run_outcome(server.run("run1-a0"))[:2] == ("finished", 0)


def test_a_parent_that_ends_before_its_child_tells_the_state_and_the_childs_rows_arrive(
    server: WandbServer, tmp_path: Path
) -> None:
    parent = start(tasks.hands_on, server, tmp_path, inputs={"rows": ROWS})
    assert parent.wait().error is None
    context = json.loads((tmp_path / tasks.HANDED_ON).read_text())
    child = start(tasks.waits, server, tmp_path, inputs={"rows": ROWS}, context=context, action_name="a1")
    wait_for_rows(server, 2 * ROWS)
    proceed(tmp_path)
    assert child.wait().error is None
    (record,) = server.runs
    assert run_outcome(record) == ("finished", 0, [0, 1, 2] * 3)
    assert [writer.completed for writer in record.writers] == [True, False]


def test_one_explicit_id_for_two_tasks_of_a_process_is_an_error_that_names_both(
    quick: WandbServer, tmp_path: Path
) -> None:
    context = wandb_config(id="mine")

    async def both() -> list[Any]:
        first = asyncio.ensure_future(
            run_action(local_tasks.never_ends, rows=ROWS, folder=tmp_path, name="a1", context=context)
        )
        await asyncio.to_thread(wait_for_rows, quick, ROWS, "mine")
        second = run_action(local_tasks.logs, rows=ROWS, folder=tmp_path, name="a2", context=context)
        refused = await asyncio.gather(second, return_exceptions=True)
        first.cancel()
        return [*refused, *await asyncio.gather(first, return_exceptions=True)]

    error, cancelled = asyncio.run(both())
    assert isinstance(error, RunInUseError)
    assert "the run id 'mine' of action 'a2' is in use by action 'a1'" in str(error)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert run_outcome(quick.run("mine")) == ("failed", 1, [0, 1, 2])


def test_a_secondary_sends_what_it_sets_and_sets_nothing_back(server: WandbServer, tmp_path: Path) -> None:
    config = {"lr": 1, "seed": 0}
    context = wandb_config(run_mode="shared", config=config)
    os.mkfifo(tmp_path / tasks.PIPE)
    environ = {**server.environ, **QUICK}
    inputs = {"rows": ROWS}
    primary, secondary = start_ranks(tasks.configures, folder=tmp_path, environ=environ, inputs=inputs, context=context)
    assert primary.wait().error is None
    wait_for_rows(server, 2 * ROWS)
    changed = own_config(server)
    proceed(tmp_path)
    assert secondary.wait().error is None
    assert own_config(server) == {**changed, "rank 1": {"read": 1}}
    assert changed.items() >= {"lr": 2, "seed": 0, "changed": True}.items()


def test_a_child_sets_nothing_back_that_its_parent_has_changed_meanwhile(server: WandbServer, tmp_path: Path) -> None:
    parent = start(tasks.changes_config, server, tmp_path, inputs={"rows": ROWS})
    wait_for_rows(server, ROWS)
    context = json.loads((tmp_path / tasks.HANDED_ON).read_text())
    below = tmp_path / "child"
    below.mkdir()
    child = start(tasks.configures_as_a_child, server, below, inputs={"rows": ROWS}, context=context, action_name="a1")
    wait_for_rows(server, 2 * ROWS)
    assert own_config(server).items() >= {"lr": 1, "child": "a"}.items()
    proceed(tmp_path)
    assert parent.wait().error is None
    proceed(below)
    assert child.wait().error is None
    assert own_config(server) == {"lr": 2, "child": "a", "late": 1}


def own_config(server: WandbServer) -> dict[str, Any]:
    """Return the configuration of the only run, without what says which action of Flyte it is."""
    (record,) = server.runs
    return {name: value for name, value in record.config.items() if name != "flyte"}


def test_one_explicit_id_for_two_tasks_of_two_processes_loses_no_rows(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(id="mine")
    first = start(tasks.waits, server, tmp_path, inputs={"rows": ROWS}, context=context, action_name="a1")
    wait_for_rows(server, ROWS, "mine")
    second = start(tasks.goes_on, server, tmp_path, inputs={"rows": ROWS}, context=context, action_name="a2")
    assert second.wait().value == "mine"
    proceed(tmp_path)
    assert first.wait().error is None
    (record,) = server.runs
    assert run_outcome(record) == ("finished", 0, [0, 1, 2] * 3)
    assert len(record.writers) == 2
