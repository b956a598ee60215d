"""Fixtures for pytest. It loads this module wherever flyte-wandb is installed, so nothing heavy is imported up here.

Fixtures:
    wandb_server: A W&B server on this machine, to which nobody writes yet.
    wandb_online: The same, with this process's W&B client logged in to it.
    wandb_strategies: A plugin manager with the built-in strategies only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from flyte_wandb import StrategyManager
    from flyte_wandb.testing import WandbServer


@pytest.fixture
def wandb_server() -> Iterator[WandbServer]:
    """Give a `WandbServer`, and end it after the test. Its `environ` logs another process in."""
    from flyte_wandb.testing import WandbServer

    with WandbServer() as server:
        yield server


@pytest.fixture
def wandb_online(wandb_server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """Give a `WandbServer` to which runs of this process go; W&B's files are in `tmp_path`."""
    from flyte_wandb.wandb_client._configuration import end_client

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)  # such as WANDB_MODE, which would keep the runs from the server
    for name, value in (wandb_server.environ | {"WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}).items():
        monkeypatch.setenv(name, value)
    end_client()  # one that an earlier test has set up would stay with that test's server
    yield wandb_server
    wandb_server.heal()  # the end of a run that the test has left open would wait for the end of a fault
    end_client()


@pytest.fixture
def wandb_strategies() -> StrategyManager:
    """Give a `StrategyManager` with the built-ins and nothing that is installed beside them."""
    from flyte_wandb.plugins._loading import built_in_manager

    return built_in_manager()
