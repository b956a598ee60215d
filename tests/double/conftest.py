"""This process's W&B client writes to the double in every test here."""

from __future__ import annotations

import pytest

from flyte_wandb.testing import WandbServer


@pytest.fixture(autouse=True)
def client_of_the_server(online: WandbServer) -> None:
    """Log the client in to the test's server, and end it before the server is asked what it could not answer."""


@pytest.fixture
def no_package_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have W&B's client not list the installed packages: for each run that takes longer than all else that it does."""
    monkeypatch.setenv("WANDB_X_SAVE_REQUIREMENTS", "false")
