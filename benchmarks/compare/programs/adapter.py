"""The compared package under one name: the programs import everything from here and are the same for both.

The environment variable COMPARED names the package. A checker sees ours, whose names both have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_wandb import (
        download_wandb_run_dir,
        download_wandb_sweep_dirs,
        get_distributed_info,
        get_wandb_context,
        get_wandb_run,
        get_wandb_sweep_id,
        wandb_config,
        wandb_init,
        wandb_sweep,
        wandb_sweep_config,
    )
else:
    import os
    from importlib import import_module

    _package = import_module(os.environ.get("COMPARED", "flyte_wandb"))

    def __getattr__(name: str) -> object:
        return getattr(_package, name)


__all__ = [
    "download_wandb_run_dir",
    "download_wandb_sweep_dirs",
    "get_distributed_info",
    "get_wandb_context",
    "get_wandb_run",
    "get_wandb_sweep_id",
    "wandb_config",
    "wandb_init",
    "wandb_sweep",
    "wandb_sweep_config",
]
