"""What these suites share: a server double, and the environment in which this process writes to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flyte_wandb.testing import WandbServer


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """A W&B server that can answer everything that it is asked."""
    with WandbServer() as server:
        yield server
        assert server.unknown_operations == ()


@pytest.fixture
def online(server: WandbServer, clean_client: None, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server, to which the W&B client of this process writes."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return server
