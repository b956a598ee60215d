"""The measured package under one name: the programs import everything from here and are the same for all packages.

The environment variable COMPARED names the package. A checker sees ours, whose names all have.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_wandb import *  # noqa: F403
else:
    _package = import_module(os.environ.get("COMPARED", "flyte_wandb"))

    def __getattr__(name: str) -> object:
        return getattr(_package, name)
