"""What this package has logged."""

from __future__ import annotations

import pytest


def own_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the messages of this package in their order; W&B's client logs for itself."""
    return [record.getMessage() for record in caplog.records if record.name == "flyte_wandb"]
