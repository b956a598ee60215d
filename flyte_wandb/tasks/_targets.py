"""What a decorator of this package can stand above."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .._errors import SettingError
from ._wrapper import is_tracked


def trackable(target: Any, decorator: str) -> Callable[..., Any]:
    """Return the target where a decorator can wrap it.

    Raises:
        SettingError: It is a class, a generator or no function, or is decorated twice.
    """
    name = getattr(target, "__qualname__", repr(target))
    if is_tracked(target, decorator):
        raise SettingError(f"{decorator} decorates {name} twice; keep one, outermost, with all settings")
    if inspect.isclass(target):
        raise SettingError(f"{decorator} cannot track the class {name}; decorate the task or function that uses it")
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise SettingError(
            f"{decorator} cannot track the generator {name}, whose body runs after the call has returned; decorate the "
            "function that consumes it"
        )
    if not callable(target):
        raise SettingError(f"{decorator} decorates a task or a function, not {target!r}; settings are given by name")
    return target  # type: ignore[no-any-return]
