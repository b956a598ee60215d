"""What the first run of a process waits for is begun before `wandb.init` asks for it, and only where it is needed."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.wandb_client._agent_room import own_client
from flyte_wandb.wandb_client._dead_service import service_behind
from flyte_wandb.wandb_client._head_start import begin_opening
from flyte_wandb.wandb_client._packages import PACKAGES
from tests.current import this_run

LOADED_LATE = "wandb.sdk.launch.inputs.internal"


@wandb_init(project="p")
def service_of_run() -> Any:
    return service_behind(this_run())


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody in this process have read the list of packages."""
    monkeypatch.setattr(PACKAGES, "_read", None)


@pytest.mark.usefixtures("offline", "unread")
def test_the_service_that_was_begun_is_the_one_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, LOADED_LATE, raising=False)
    begin_opening(packages=True)
    assert LOADED_LATE in sys.modules
    for thread in threading.enumerate():
        if thread.name in ("flyte-wandb-service", "flyte-wandb-packages"):
            thread.join()
    assert PACKAGES._read is not None
    begun = service_behind()
    assert begun is not None
    assert service_of_run() is begun


@pytest.mark.usefixtures("clean_client", "unread")
def test_a_disabled_run_and_a_users_stand_in_begin_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert service_of_run() is None
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(wandb, "init", lambda **_: None)  # as tests of users do
    begin_opening(packages=True)
    assert "flyte-wandb-service" not in {thread.name for thread in threading.enumerate()}
    assert own_client()._connection is None
    assert PACKAGES._read is None
