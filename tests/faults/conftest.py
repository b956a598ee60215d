"""What tests of faults share: a quick client, and the proof that no service process of W&B is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte_wandb.testing import WandbServer
from tests.faults.acting import QUICK
from tests.services import leftover_services


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Have every service process that a test has started be gone after it: with its container, or its client."""
    yield
    assert leftover_services(tmp_path) == []


@pytest.fixture
def quick(nothing_left: None, online: WandbServer, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server, to which the client of this process writes every second."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    return online
