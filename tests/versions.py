"""What the versions that are installed here can do, for tests to skip with a reason that names them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

import flyte
import pytest
import wandb
from packaging.version import Version

from flyte_wandb.testing._container import IMPORTS

LEAVES: Final = Version(flyte.__version__) >= Version("2.8")
"""Whether a sync task can leave its process."""

HANGS: Final = pytest.mark.skipif(not LEAVES, reason="flyte before 2.8 hangs where a sync task leaves its process")
WANDB_BEFORE_0_30: Final = Version(wandb.__version__) < Version("0.30")
FLUSHES: Final = "x_transaction_log_flush_interval" in wandb.Settings.model_fields
"""Whether W&B's log of a run can be had on the disk within a second."""


ONLY_TORCH: Final = ("flyteplugins.pytorch", "torch.distributed.run")
TORCH: Final = (*IMPORTS, *ONLY_TORCH)
"""What a warm container of torch has imported, and the ranks that it starts: torch alone takes each of them 3 s."""


class _Module:
    """A module that is imported when something of it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest asks all that a test module has for its marks
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)


def with_torch(module: str) -> Any:
    """Return a module that needs torch, and is imported when something of it is used; skip where torch is missing.

    Lightning alone takes 5 s, which each worker would spend where it collects the tests.
    """
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed", allow_module_level=True)
    return _Module(module)
