"""Where a command works: in a scratch folder of W&B and Flyte that reaches no network, with its progress shown."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a measurement is given.

    Attributes:
        folder: The scratch folder.
        quick: Whether few repetitions are wanted.
        progress: Where it shows how far it is.
    """

    folder: Path
    quick: bool
    progress: Progress

    def bar(self, name: str, steps: int) -> Callable[[], None]:
        """Show a bar, and return what makes one step: a thread that redraws it would disturb what is measured."""
        task = self.progress.add_task(name, total=steps)

        def step() -> None:
            self.progress.advance(task)
            self.progress.refresh()

        self.progress.refresh()
        return step


@contextmanager
def open_session(*, quick: bool = False) -> Iterator[Session]:
    """Give a session in a scratch folder; what imports flyte or wandb is to be imported inside."""
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress, scratch() as folder:
        yield Session(folder=folder, quick=quick, progress=progress)


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
