"""An agent of W&B's that asks for its next trial at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from wandb.agents.pyagent import Agent


@pytest.fixture
def quick_agents() -> Iterator[None]:
    """Shorten W&B's wait between two heartbeats, which its source allows to tests."""
    before = Agent.HEARTBEAT_SLEEP_SECONDS
    Agent.HEARTBEAT_SLEEP_SECONDS = 0.02  # type: ignore[assignment]
    yield
    Agent.HEARTBEAT_SLEEP_SECONDS = before
