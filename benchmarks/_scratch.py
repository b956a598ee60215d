"""A temporary folder in which W&B and Flyte keep their files, and an environment that reaches no network."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch() -> Iterator[Path]:
    """Work inside a folder that is removed at the end. Enter before flyte or wandb is imported."""
    assert not {"flyte", "wandb"} & sys.modules.keys(), "they read the environment when they are imported"
    before, here = dict(os.environ), Path.cwd()
    with tempfile.TemporaryDirectory(prefix="flyte-wandb-bench-") as name:
        folder = Path(name)
        os.chdir(folder)
        _isolate(folder)
        try:
            yield folder
        finally:
            _end_client()
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)


def isolated(folder: Path) -> dict[str, str]:
    """Return the environment variables with which W&B and Flyte keep to a folder, and to themselves."""
    folders = ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
    silent = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB__DISABLE_STATS": "true"}
    return {**{name: str(folder) for name in folders}, **silent, "WANDB_MODE": "offline"}


def _isolate(folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("WANDB_", "FLYTE_", "_F_", "_U_"))]:
        del os.environ[name]
    os.environ.update(isolated(folder))


def _end_client() -> None:
    if "wandb" in sys.modules:
        import wandb

        wandb.teardown()
