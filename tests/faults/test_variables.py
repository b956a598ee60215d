"""W&B's own variables that its client does not take: W&B does not open the run, and what is not needed is not read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import OpenRunError, wandb_config, wandb_init
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._variables import find_variable_faults
from tests.conftest import LocalRun
from tests.current import this_run
from tests.faults import local_tasks
from tests.faults.acting import ROWS
from tests.messages import own_messages
from tests.remote import run_action

KEY = "k3y" * 13 + "k"
MALFORMED = [
    ("WANDB_API_KEY", f"{KEY}\n", "WANDB_API_KEY: API key cannot start or end with whitespace"),
    ("WANDB_BASE_URL", "wandb.example.com", "WANDB_BASE_URL='wandb.example.com': Input should be a valid URL"),
    ("WANDB_MODE", "dry-run", "WANDB_MODE='dry-run': Input should be 'online', 'offline'"),
    ("WANDB_INIT_TIMEOUT", "1m", "WANDB_INIT_TIMEOUT='1m': Input should be a valid number"),
    ("WANDB_TAGS", "", "WANDB_TAGS='': Value error, Tag at index 0 is empty"),
    ("WANDB_CONSOLE", "no", "WANDB_CONSOLE='no': Input should be 'auto', 'off'"),
]


@pytest.fixture(params=MALFORMED, ids=[name for name, _, _ in MALFORMED])
def fault(request: pytest.FixtureRequest, quick: WandbServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of a variable that W&B does not take."""
    name, value, fault = request.param
    # W&B reads them in their order, and stops at the first that it does not take.
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANDB_PROJECT", "vision")
    return str(fault)


def run(folder: Path, **settings: Any) -> Any:
    return asyncio.run(
        run_action(local_tasks.logs, rows=ROWS, folder=folder, context=wandb_config(**{"settings": {}, **settings}))
    )


@pytest.mark.parametrize("name", ["WANDB_RESUME_FROM", "WANDB_FORK_FROM"])
def test_a_variable_that_would_start_every_task_at_one_step_is_named_with_the_setting(
    name: str, quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "old?_step=1")
    setting = name.removeprefix("WANDB_").lower()
    with pytest.raises(OpenRunError, match=rf"{name}='old\?_step=1'.*set {setting}= in wandb_init"):
        run(tmp_path)
    assert run(tmp_path, mode="offline") == "r1-a0"


def test_a_malformed_variable_is_wandb_not_opening_a_run(
    fault: str, quick: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with pytest.raises(OpenRunError) as refused:
            run(tmp_path)
        assert fault in str(refused.value)
        assert str(refused.value).endswith("; correct the variable, or unset it")
        assert KEY not in f"{refused.value}{refused.value.__cause__}"
    assert run(tmp_path, on_error="ignore") == "no run"
    assert run(tmp_path, on_error="offline") == "r1-a0"
    assert [
        message for message in own_messages(caplog) if fault in message and "continues with an offline run" in message
    ] != []
    assert [message for message in own_messages(caplog) if "was not kept" in message] == []
    assert KEY not in caplog.text
    assert quick.runs == ()


def test_a_run_that_reaches_no_server_needs_none_of_them(fault: str, tmp_path: Path, run_local: LocalRun) -> None:
    assert run(tmp_path, mode="offline") == "r1-a0"
    assert run(tmp_path, mode="disabled") == "r1-a0"


@pytest.mark.parametrize("first", ["WANDB_MODE", "WANDB_API_KEY"])
def test_offline_no_key_is_needed_in_whatever_order_the_variables_stand(
    first: str, quick: WandbServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"WANDB_MODE": "offline", "WANDB_API_KEY": f"{KEY}\n"}
    for name in values:
        monkeypatch.delenv(name, raising=False)
    for name in sorted(values, key=lambda name: name != first):
        monkeypatch.setenv(name, values[name])
    monkeypatch.setenv("WANDB_PROJECT", "vision")

    def function() -> tuple[bool, str]:
        return this_run().offline, this_run().project

    assert wandb_init(function)() == (True, "vision")
    assert [message for message in own_messages(caplog) if "WANDB_API_KEY" in message] == []


def test_an_offline_run_says_once_which_variable_it_goes_on_without(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_TAGS", "a,,b")
    for _ in range(2):
        run(tmp_path, mode="offline")
    (message,) = [message for message in own_messages(caplog) if "WANDB_TAGS" in message]
    assert message.startswith("an offline run continues without one of W&B's variables: WANDB_TAGS='a,,b'")


def test_a_variable_that_is_corrected_holds_for_the_next_client(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as malformed:
        malformed.setenv("WANDB_INIT_TIMEOUT", "1m")
        assert run(tmp_path, on_error="ignore") == "no run"
    wandb.teardown()
    assert run(tmp_path) == "r1-a0"


@pytest.mark.usefixtures("clean_client")
def test_values_of_secrets_are_not_shown_and_what_wandb_takes_is_no_fault() -> None:
    faults = find_variable_faults({"WANDB_API_KEY": " s3cr3t", "WANDB_MODE": "offline", "WANDB_X": "1", "PATH": ""})
    assert list(faults) == ["WANDB_API_KEY"]
    assert "s3cr3t" not in faults["WANDB_API_KEY"]


def test_an_empty_variable_of_ours_is_an_unset_one(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_WANDB_ON_ERROR", "")
    assert run(tmp_path) == "r1-a0"
