"""Where a command works: in a scratch folder of W&B and Flyte that reaches no network, with its progress shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a measurement is given: the folder, whether few repetitions are wanted, and where it shows its progress."""

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
    """Work inside a folder that is removed at the end. Enter before flyte or wandb is imported."""
    assert not {"flyte", "wandb"} & sys.modules.keys(), "they read the environment when they are imported"
    before, here, console = dict(os.environ), Path.cwd(), Console(stderr=True)
    with (
        Progress(console=console, auto_refresh=False, transient=True) as progress,
        TemporaryDirectory(prefix="flyte-wandb-bench-") as name,
    ):
        os.chdir(name)
        for variable in [one for one in os.environ if one.startswith(("WANDB_", "FLYTE_", "_F_", "_U_"))]:
            del os.environ[variable]
        os.environ.update(isolated(Path(name)))
        try:
            yield Session(folder=Path(name), quick=quick, progress=progress)
        finally:
            if "wandb" in sys.modules:
                sys.modules["wandb"].teardown()
            os.chdir(here)
            os.environ.clear()
            os.environ.update(before)


def isolated(folder: Path) -> dict[str, str]:
    """Return the environment variables with which W&B and Flyte keep to a folder, and to themselves."""
    folders = ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
    silent = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB__DISABLE_STATS": "true"}
    return {**{name: str(folder) for name in folders}, **silent, "WANDB_MODE": "offline"}
