"""What the first run of a process waits for, begun at once: W&B's service, its modules, and the list of packages.

W&B does one after the other. It starts its service late and then looks every 0.2 s whether that is up (wandb 0.31), so
that a process would do nothing for most of this time.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from ._agent_room import own_client
from ._packages import PACKAGES


def begin_opening(*, packages: bool) -> None:
    """Begin what `wandb.init` is about to need, where this process has not done it yet. Does not wait for the service.

    What goes wrong goes wrong again in `wandb.init`, which says so.

    Args:
        packages: Whether the run gets the list of packages from this package.
    """
    import wandb

    if wandb.init is not wandb.sdk.init:  # a test of a user's, whose stand-in needs none of this, or an agent's
        return
    client = own_client()
    starts = client._connection is None
    if starts:
        threading.Thread(target=_start_service, args=(client,), name="flyte-wandb-service", daemon=True).start()
    if packages:
        PACKAGES.read_ahead()
    if starts:
        # In this thread: `wandb.init` imports, too, and two threads can see each other's modules half loaded.
        _load_modules()


def _start_service(client: Any) -> None:
    with suppress(Exception):
        client.ensure_service()


def _load_modules() -> None:
    with suppress(Exception):
        from wandb.sdk.launch.inputs.internal import StagedLaunchInputs  # noqa: F401
