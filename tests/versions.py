"""What the versions that are installed here can do, for tests to skip with a reason that names them."""

from __future__ import annotations

import importlib
from typing import Any, Final

import flyte
import pytest
import wandb
from packaging.version import Version

LEAVES: Final = Version(flyte.__version__) >= Version("2.8")
"""Whether a sync task can leave its process."""

HANGS: Final = pytest.mark.skipif(not LEAVES, reason="flyte before 2.8 hangs where a sync task leaves its process")
WANDB_BEFORE_0_30: Final = Version(wandb.__version__) < Version("0.30")
FLUSHES: Final = "x_transaction_log_flush_interval" in wandb.Settings.model_fields
"""Whether W&B's log of a run can be had on the disk within a second."""


def with_torch(module: str) -> Any:
    """Import a module that needs torch; skip where torch is not installed."""
    pytest.importorskip("torch", reason="torch is not installed")
    return importlib.import_module(module)
