"""Finding the task that somebody names on the command line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import flyte

from flyte_wandb import SettingError
from flyte_wandb._logging import one_line


def load_task(target: str) -> Any:
    """Import the task that `target` names: ``MODULE:TASK``, with a dotted module or a file.

    Raises:
        SettingError: It is not such a name, the module cannot be imported, or has no such task.
    """
    where, colon, name = target.rpartition(":")
    if not colon or not where or not name:
        raise SettingError(f"{target!r} names no task; write MODULE:TASK, such as train:main or examples/train.py:main")
    task = getattr(_import_module(where), name, None)
    if not isinstance(task, flyte.TaskTemplate):
        raise SettingError(f"{where} has no task {name!r}; {_list_tasks(_import_module(where))}")
    return task


def _import_module(where: str) -> ModuleType:
    folder, name = _find_import_root(where)
    sys.path[:0] = [str(folder)] if str(folder) not in sys.path else []
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise SettingError(f"{where} cannot be imported: {type(error).__name__}: {one_line(error)}") from error


def _find_import_root(where: str) -> tuple[Path, str]:
    """Return the folder to import from, and the module's dotted name there. A file below this folder is one of its."""
    here, path = Path.cwd(), Path(where).resolve()
    if not where.endswith(".py"):
        return here, where
    if path.is_relative_to(here):
        return here, ".".join(path.relative_to(here).with_suffix("").parts)
    return path.parent, path.stem


def _list_tasks(module: ModuleType) -> str:
    names = sorted(name for name, value in vars(module).items() if isinstance(value, flyte.TaskTemplate))
    return f"it has {', '.join(names)}" if names else "it has none"
