"""W&B is down, slow, refuses, or goes away: what a task does by `on_error`, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import OpenRunError, SettingError, wandb_config
from flyte_wandb.testing import WandbServer
from tests.current import this_run
from tests.faults import local_tasks
from tests.faults.acting import ROWS, on_disk, run_outcome, wait_for_rows
from tests.messages import own_messages
from tests.remote import run_action
from tests.services import kill_services
from tests.versions import FLUSHES

IMPATIENT = {"init_timeout": 1.0}
TWICE = [*range(ROWS), *range(ROWS)]


def run(folder: Path, task: Any = local_tasks.logs, name: str = "a0", **settings: Any) -> Any:
    context = wandb_config(**{"settings": IMPATIENT, **settings})
    return asyncio.run(run_action(task, rows=ROWS, folder=folder, name=name, context=context))


def down(server: WandbServer) -> None:
    server.stop()


def silent(server: WandbServer) -> None:
    server.slow("*", 30)


def storm(server: WandbServer) -> None:
    server.fault("*", status=429, times=None)


def broken(server: WandbServer) -> None:
    server.fault("*", status=500, times=None)


def locked(server: WandbServer) -> None:
    server.fault("*", status=401, times=None)


TROUBLE = [down, silent, storm, broken, locked]
Trouble = Callable[[WandbServer], None]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_before_the_body_ends_as_on_error_says(
    trouble: Trouble, quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble(quick)
    with pytest.raises(OpenRunError) as refused:
        run(tmp_path)
    assert f"W&B did not open the run 'r1-a0' at {quick.url}: " in str(refused.value)
    assert "on_error='offline' or 'ignore'" in str(refused.value)
    assert run(tmp_path, on_error="ignore") == "no run"
    assert run(tmp_path, on_error="offline") == "r1-a0"
    told_of = [message for message in own_messages(caplog) if message.startswith("W&B did not open")]
    assert ["continues without a run" in message for message in told_of] == [True, False]
    quick.heal()
    assert quick.runs == ()
    wandb.teardown()
    log = on_disk(tmp_path, "offline-run")
    assert (log.logged("row"), log.exit_code) == ([0, 1, 2], 0)


REFUSED = "1" * 40


def test_a_key_that_is_refused_is_named_nowhere(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", REFUSED)
    with pytest.raises(OpenRunError, match="user is not logged in") as refused:
        run(tmp_path)
    assert run(tmp_path, on_error="ignore") == "no run"
    assert REFUSED not in f"{refused.value} {caplog.text}"
    assert quick.runs == ()


@pytest.mark.parametrize(
    ("variable", "context", "outcome"),
    [("ignore", {}, "no run"), ("raise", {"on_error": "ignore"}, "no run"), ("ignore", {"on_error": "raise"}, None)],
)
def test_the_environment_decides_where_nobody_else_does(
    variable: str,
    context: dict[str, Any],
    outcome: str | None,
    quick: WandbServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_ON_ERROR", variable)
    quick.refuse("not now")
    if outcome:
        assert run(tmp_path, **context) == outcome
    else:
        with pytest.raises(OpenRunError, match="not now"):
            run(tmp_path, **context)


def test_a_variable_that_means_nothing_is_told(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_ON_ERROR", "shrug")
    with pytest.raises(SettingError, match=r"FLYTE_WANDB_ON_ERROR.*'shrug'.*one of raise, offline, ignore"):
        run(tmp_path)


def test_a_server_that_dies_costs_no_result_and_no_row(
    quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def dies() -> None:
        wait_for_rows(quick, ROWS, "r1-a0")
        quick.stop()

    local_tasks.MEANWHILE.append(dies)
    assert run(tmp_path, local_tasks.logs_twice, settings={"finish_timeout": 1.0}) == "r1-a0"
    assert run_outcome(quick.run("r1-a0")) == ("running", None, [0, 1, 2])
    wandb.teardown()
    log = on_disk(tmp_path)
    assert (log.logged("row"), log.exit_code) == (TWICE, 0)


@pytest.mark.parametrize(
    "trouble",
    [{"status": 429, "retry_after": 1, "times": 2}, {"status": 503, "times": 2}, {"status": 500, "times": 2}],
    ids=["429", "503", "500"],
)
def test_requests_that_are_refused_for_a_while_lose_nothing(
    trouble: dict[str, Any], quick: WandbServer, tmp_path: Path
) -> None:
    local_tasks.MEANWHILE.append(lambda: quick.fault("file_stream", **trouble))
    assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, TWICE)


def test_a_server_that_comes_back_gets_everything(quick: WandbServer, tmp_path: Path) -> None:
    def goes_and_comes() -> None:
        wait_for_rows(quick, ROWS, "r1-a0")
        quick.fault("*", drop=True, times=None)
        seen = quick.requests["file_stream"]
        this_run().log({"row": "unheard"})
        quick.wait_for(lambda server: server.requests["file_stream"] > seen)
        quick.heal()

    local_tasks.MEANWHILE.append(goes_and_comes)
    assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2, "unheard", 0, 1, 2])


def test_the_death_of_the_service_costs_no_result_and_nothing_that_was_on_the_disk(
    quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def messages() -> list[str]:
        return [message for message in own_messages(caplog) if "service process has died" in message]

    def kills() -> None:
        wait_for_rows(quick, ROWS, "r1-a0")
        kill_services(tmp_path)
        for _ in range(100_000):  # the client notices it in a thread of its own
            this_run().log({"lost": True})
            if messages():
                return

    local_tasks.MEANWHILE.append(kills)
    assert run(tmp_path, local_tasks.logs_twice) == "r1-a0"
    assert run_outcome(quick.run("r1-a0")) == ("running", None, [0, 1, 2])
    assert on_disk(tmp_path).logged("row") == ([0, 1, 2] if FLUSHES else [])
    (message,) = messages()
    assert str(next(tmp_path.glob("wandb/run-2*"))) in message
    assert run(tmp_path, name="a1") == "r1-a1"
    assert run_outcome(quick.run("r1-a1")) == ("finished", 0, [0, 1, 2])


def test_a_service_that_died_between_two_tasks_is_replaced(quick: WandbServer, tmp_path: Path) -> None:
    assert run(tmp_path, name="a1") == "r1-a1"
    kill_services(tmp_path)
    assert run(tmp_path, name="a2") == "r1-a2"
    assert [run_outcome(record) for record in quick.runs] == [("finished", 0, [0, 1, 2])] * 2


def test_the_death_of_the_service_hides_no_exception(quick: WandbServer, tmp_path: Path) -> None:
    local_tasks.FAILURES.append(ConnectionError("the user's own"))
    kill_services(tmp_path)
    with pytest.raises(ConnectionError, match="the user's own"):
        run(tmp_path, local_tasks.flaky)
    assert run_outcome(quick.run("r1-a0")) == ("failed", 1, [0, 1, 2])
