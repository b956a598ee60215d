"""How long W&B's client may take, and how much of a run a killed process loses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

BOUNDS: Final[Mapping[str, Any]] = {
    "init_timeout": 12.0,
    "finish_timeout": 600.0,
    "x_transaction_log_flush_interval": 1.0,
}
"""Fields of `wandb.Settings` where neither the user nor the environment sets them; all in seconds.

W&B's own are 90, for ever, and 15. Before a process's first run, W&B may take ten more to say who is logged in. A run
that is not finished in time stays on the disk, whole.
"""


def bounds(*given: Collection[str]) -> dict[str, Any]:
    """Return the bounds that nobody has set, as far as this version of wandb knows them.

    Args:
        given: Names of settings that somebody has set.
    """
    import wandb

    known = wandb.Settings.model_fields.keys() - set().union(*given)
    return {name: value for name, value in BOUNDS.items() if name in known}
