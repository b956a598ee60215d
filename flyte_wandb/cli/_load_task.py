"""Finding the task that you name on the command line."""

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
    # From the right, because a path on Windows has a colon of its own.
    module_name, colon, task_name = target.rpartition(":")
    if not colon or not module_name or not task_name:
        raise SettingError(f"{target!r} names no task; write MODULE:TASK, such as train:main or examples/train.py:main")
    module = _import_module(module_name)
    task = getattr(module, task_name, None)
    if not isinstance(task, flyte.TaskTemplate):
        raise SettingError(f"{module_name} has no task {task_name!r}; {_list_tasks(module)}")
    return task


def _import_module(module_name: str) -> ModuleType:
    folder, name = _find_import_root(module_name)
    # A console script starts with its own folder first, and not with the one it is called in as `python -m` does.
    sys.path[:0] = [str(folder)] if str(folder) not in sys.path else []
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a script without a guard may exit when it is imported
        raise SettingError(f"{module_name} cannot be imported: {type(error).__name__}: {one_line(error)}") from error


def _find_import_root(module_name: str) -> tuple[Path, str]:
    """Return the folder to import from, and the dotted name there. A file below the current folder is imported from it.

    Flyte names a task after its module, so the name has to be the one that a submission from here would have.
    """
    here, path = Path.cwd(), Path(module_name).resolve()
    if not module_name.endswith(".py"):
        return here, module_name
    if path.is_relative_to(here):
        return here, ".".join(path.relative_to(here).with_suffix("").parts)
    return path.parent, path.stem


def _list_tasks(module: ModuleType) -> str:
    names = sorted(name for name, value in vars(module).items() if isinstance(value, flyte.TaskTemplate))
    return f"it has {', '.join(names)}" if names else "it has none"
