"""This process's W&B client writes to the double in every test here."""

from __future__ import annotations

import pytest

from flyte_wandb.testing import WandbServer


@pytest.fixture(autouse=True)
def client_of_the_server(online: WandbServer) -> None:
    """Log the client in to the test's server, and end it before the server is asked what it could not answer."""
