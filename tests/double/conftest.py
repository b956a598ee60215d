"""A server double for every test here, and writers in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wandb

from flyte_wandb.testing import WandbServer


@pytest.fixture
def server(clean_client: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """Give a server that this process's client uses; afterwards it must have had an answer to everything."""
    with WandbServer() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server
        wandb.teardown()
        assert server.unknown_operations == ()
