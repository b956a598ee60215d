"""Attempts and restarts: one run that goes on, or one run for each attempt."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import wandb_config
from flyte_wandb.testing import ContainerResult, WandbServer, run_container
from tests.conftest import LocalRun
from tests.faults import local_tasks, tasks
from tests.faults.acting import QUICK, ROWS, told
from tests.links.rendering import filled, wire_links
from tests.pure.worlds import said
from tests.remote import run_action


def attempt(
    number: int, server: WandbServer, folder: Path, task: Any = tasks.fails_at_first, **settings: Any
) -> ContainerResult:
    """Run one attempt of an action in a process of its own; Flyte counts them from 0."""
    environ = {**server.environ, **QUICK, "FLYTE_ATTEMPT_NUMBER": str(number - 1)}
    options: dict[str, Any] = {"inputs": {"rows": ROWS}, "context": wandb_config(**settings), "label": str(number)}
    return run_container(task, folder=folder, environ=environ, **options)


def test_a_local_retry_goes_on_with_its_run(quick: WandbServer, run_local: LocalRun) -> None:
    local_tasks.FAILURES.append(ConnectionError("the node went away"))
    run_id = run_local(local_tasks.flaky.override(retries=1), ROWS)
    (record,) = quick.runs
    assert (record.id, record.resumed, record.restarted) == (run_id, 1, 0)
    assert told(record) == ("finished", 0, [0, 1, 2, 0, 1, 2])
    assert record.tags == ("attempt-2",)
    assert record.config["flyte"]["attempt"] == 2


def test_a_local_retry_can_have_a_run_of_its_own(quick: WandbServer, run_local: LocalRun) -> None:
    local_tasks.FAILURES.append(ConnectionError("the node went away"))
    context = wandb_config(on_retry="new", id="exp")
    assert run_local(local_tasks.flaky.override(retries=1), ROWS, context=context) == "exp-attempt-2"
    assert [(record.id, record.group) for record in quick.runs] == [("exp", "exp"), ("exp-attempt-2", "exp")]
    assert [told(record)[:2] for record in quick.runs] == [("failed", 1), ("finished", 0)]


def test_a_remote_retry_goes_on_with_its_run(server: WandbServer, tmp_path: Path) -> None:
    first, second = (attempt(number, server, tmp_path) for number in (1, 2))
    assert "the node went away" in str(first.error)
    assert second.value == "run1-a0", second.log
    (record,) = server.runs
    assert (record.resumed, record.restarted, record.tags) == (1, 0, ("attempt-2",))
    assert told(record) == ("finished", 0, [0, 1, 2, 0, 1, 2])
    assert record.config["flyte"]["attempt"] == 2


def test_a_remote_retry_can_have_a_run_of_its_own(server: WandbServer, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"on_retry": "new", "project": "vision", "entity": "local"}
    values = [attempt(number, server, tmp_path, **settings).value for number in (1, 2)]
    assert values == [None, "run1-a0-attempt-2"]
    assert [(record.id, record.group, told(record)[0]) for record in server.runs] == [
        ("run1-a0", "run1-a0", "failed"),
        ("run1-a0-attempt-2", "run1-a0", "finished"),
    ]


def test_the_link_of_runs_per_attempt_leads_to_their_group(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    context = wandb_config(on_retry="new", project="vision", entity="local")
    (address,) = filled(wire_links(tasks.fails_at_first, context)).values()
    assert address == f"{server.url}/local/vision/groups/run1-a0/workspace"


def attempt_here(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> str | None:
    """Run one attempt of an action in this process; the first one fails."""
    monkeypatch.setenv("FLYTE_ATTEMPT_NUMBER", str(number - 1))
    local_tasks.FAILURES[:] = [ConnectionError("the node went away")] if number == 1 else []
    context = wandb_config(**settings)
    with contextlib.suppress(ConnectionError):
        return str(asyncio.run(run_action(local_tasks.flaky, rows=ROWS, folder=folder, context=context)))
    return None


@pytest.mark.parametrize("can_rewind", [True, False])
def test_a_checkpoint_takes_the_run_back_where_the_server_can(
    can_rewind: bool,
    quick: WandbServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings: dict[str, Any] = {"joinable": False, "checkpoint_step": 0}
    assert attempt_here(1, tmp_path, monkeypatch, **settings) is None
    if not can_rewind:
        quick.fault("RewindRun", status=400, times=None)
    assert attempt_here(2, tmp_path, monkeypatch, **settings) == "r1-a0"
    (record,) = quick.runs
    kept = [0] if can_rewind else [0, 1, 2]
    assert told(record) == ("finished", 0, [*kept, 0, 1, 2])
    assert [row["_step"] for row in record.history] == list(range(len(kept) + ROWS))
    assert (record.resumed, record.restarted) == (1, 0)
    warned = [message for message in said(caplog) if "goes on at its end, not after step 0" in message]
    assert len(warned) == (0 if can_rewind else 1)


def test_a_shared_run_cannot_be_taken_back_and_says_so(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        attempt_here(number, tmp_path, monkeypatch, checkpoint_step=0)
    assert [message for message in said(caplog) if "use joinable=False" in message] != []
    assert told(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2, 0, 1, 2])
