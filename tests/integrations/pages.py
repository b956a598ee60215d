"""The tasks that a page shows, made of its text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def task_of(page: Path, name: str, **names: Any) -> Any:
    """Run the block of a page that defines the task `name`, and return the task.

    Args:
        page: The page.
        name: The task's function.
        names: What the block takes for granted; it goes over what the block imports.
    """
    (block,) = (block for block in _BLOCK.findall(page.read_text()) if f"def {name}(" in block)
    made: dict[str, Any] = {"__name__": "page", **names}
    exec(compile(block, str(page), "exec"), made)
    made.update(names)
    return made[name]
