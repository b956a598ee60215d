"""Rows that W&B has not acknowledged when a run is finished are named, kept, and completed later, each there once."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import sync_wandb_runs, wandb_config
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._log_values import wait_for_end
from tests.current import this_run
from tests.faults import local_tasks
from tests.faults.acting import ROWS, run_outcome, wait_for_rows
from tests.messages import own_messages
from tests.offline_runs.test_syncing import APPENDS
from tests.remote import run_action
from tests.services import stopped_services

TWICE = [*range(ROWS), *range(ROWS)]
LOGIN_PAGE = "<html><body>Sign in to the proxy</body></html>"


def gone(server: WandbServer) -> None:
    server.fault("*", drop=True, times=None)


def refused(server: WandbServer) -> None:
    server.fault("*", status=401, times=None)


def login_page(server: WandbServer) -> None:
    server.fault("*", status=200, body=LOGIN_PAGE, times=None)


def login_page_for_rows(server: WandbServer) -> None:
    server.fault("file_stream", status=200, body=LOGIN_PAGE, times=None)


def run(server: WandbServer, folder: Path, trouble: Callable[[WandbServer], None], **settings: Any) -> None:
    def happens() -> None:
        wait_for_rows(server, ROWS, "r1-a0")
        trouble(server)

    local_tasks.MEANWHILE.append(happens)
    context = wandb_config(settings={"finish_timeout": 2.0}, **settings)
    assert asyncio.run(run_action(local_tasks.logs_twice, rows=ROWS, folder=folder, context=context)) == "r1-a0"


def lost(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in own_messages(caplog) if "not acknowledged" in message]


@APPENDS
@pytest.mark.parametrize(
    ("trouble", "joinable"), [(gone, True), (refused, False), (login_page, True), (login_page_for_rows, False)]
)
def test_the_last_rows_are_told_in_one_line_kept_and_completed(
    trouble: Callable[[WandbServer], None],
    joinable: bool,
    quick: WandbServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run(quick, tmp_path, trouble, joinable=joinable)
    (kept,) = tmp_path.glob("a0/raw/wandb-offline/r1/a0/run-*")
    assert lost(caplog) == [
        "W&B has not acknowledged 3 of 6 rows of the run r1-a0. Its log is saved; upload it with "
        f"`flyte-wandb sync {kept}`"
    ]
    quick.heal()
    assert run_outcome(quick.run("r1-a0")) == ("running", None, [*range(ROWS)])
    wandb.teardown()
    (outcome,) = sync_wandb_runs(kept)
    assert (outcome.status, outcome.rows) == ("synced", 6), outcome.reason
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)
    assert [found.status for found in sync_wandb_runs(kept)] == ["skipped"]


@APPENDS
def test_rows_that_a_login_page_took_in_the_middle_are_completed(
    quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def for_a_moment(server: WandbServer) -> None:
        server.fault("file_stream", status=200, body=LOGIN_PAGE)
        asked = server.requests["file_stream"]
        this_run().log({"row": "swallowed"})
        server.wait_for(lambda server: server.requests["file_stream"] > asked)

    run(quick, tmp_path, for_a_moment)
    (kept,) = tmp_path.glob("a0/raw/wandb-offline/r1/a0/run-*")
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)
    assert "1 of 7 rows of the run r1-a0" in lost(caplog)[0]
    wandb.teardown()
    (outcome,) = sync_wandb_runs(kept)
    assert outcome.status == "synced", outcome.reason
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, [*TWICE, "swallowed"])


@APPENDS
def test_a_run_that_is_deleted_meanwhile_is_uploaded_whole(quick: WandbServer, tmp_path: Path) -> None:
    run(quick, tmp_path, refused)
    (kept,) = tmp_path.glob("a0/raw/wandb-offline/r1/a0/run-*")
    wandb.teardown()
    with WandbServer() as other, pytest.MonkeyPatch.context() as patch:
        for name, value in other.environ.items():
            patch.setenv(name, value)
        (outcome,) = sync_wandb_runs(kept, host=other.url)
        assert outcome.status == "synced", outcome.reason
        assert run_outcome(other.run("r1-a0")) == ("finished", 0, TWICE)


def test_nothing_is_told_or_kept_where_all_is_well(
    quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    run(quick, tmp_path, lambda server: asked.append(server.requests["Run"]))
    assert lost(caplog) == []
    assert list(tmp_path.glob("a0/raw/**/run-*")) == []
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)
    assert quick.requests["Run"] == asked[0]


def silent(server: WandbServer, folder: Path, silence: ExitStack) -> None:
    """Have a task end while its service says nothing, and leave it so."""
    run(server, folder, lambda server: silence.enter_context(stopped_services(folder)), joinable=True)
    wandb.teardown()


@APPENDS
def test_a_service_that_wakes_up_after_its_log_was_kept_has_no_row_there_twice(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "1")
    with ExitStack() as silence:
        silent(quick, tmp_path, silence)
        (kept,) = tmp_path.glob("a0/raw/wandb-offline/r1/a0/run-*")
        early = shutil.copytree(kept, tmp_path / kept.name)
    quick.wait_for(lambda server: server.run("r1-a0").state == "finished", timeout=90)
    (log,) = tmp_path.glob("wandb/run-*-r1-a0/*.wandb")
    assert wait_for_end(log)
    shutil.copy(log, early)  # as it would have been kept a moment later: with rows that W&B had not acknowledged
    for folder, rows in ((kept, 3), (early, 6)):
        (outcome,) = sync_wandb_runs(folder)
        assert (outcome.status, outcome.rows) == ("synced", rows), outcome.reason
        assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)


@APPENDS
def test_rows_that_arrived_and_were_not_acknowledged_are_not_there_twice(quick: WandbServer, tmp_path: Path) -> None:
    run(quick, tmp_path, refused, joinable=True)
    (kept,) = tmp_path.glob("a0/raw/wandb-offline/r1/a0/run-*")
    manifest = json.loads((kept / "offline.json").read_text())
    assert manifest["delivered"] == [[0, 3]]
    # As where the answer to the first rows was lost on the way.
    (kept / "offline.json").write_text(json.dumps(manifest | {"delivered": []}))
    quick.heal()
    wandb.teardown()
    (outcome,) = sync_wandb_runs(kept)
    assert (outcome.status, outcome.rows) == ("synced", 6), outcome.reason
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)
