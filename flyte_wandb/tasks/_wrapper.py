"""The wrappers around a task's function, and what they can wrap.

Light: what opens runs is imported when the function is first called.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any, Final

from .._errors import SettingError
from ..plans._spec import Spec

_MARKS: Final = {"wandb_init": "__wandb_spec__", "wandb_sweep": "__wandb_sweep_spec__"}
"""The attribute in which a wrapped function keeps the settings of each decorator."""


def track_function(
    function: Callable[..., Any], spec: Spec, decorator: str = "wandb_init", session: str = "flyte_wandb.tasks._call"
) -> Callable[..., Any]:
    """Wrap a function so that it runs inside the right run, or sweep. Keeps it sync or async, and picklable."""
    # Flyte asks a function again whether it is async, in `override()` and when it runs it.
    wrap = _wrap_async if _is_async(function) else _wrap_sync
    wrapper = wrap(function, spec, session)
    setattr(wrapper, _MARKS[decorator], spec)
    return wrapper


def is_tracked(function: object, decorator: str = "wandb_init") -> bool:
    """Whether a decorator has wrapped this function before."""
    return hasattr(function, _MARKS[decorator])


@functools.cache  # to ask `importlib` again takes as long as a decision of a plan
def _load_session(name: str) -> Any:
    return import_module(name)


def _is_async(function: Callable[..., Any]) -> bool:
    # An object with an async `__call__`, such as a model, is no coroutine function by itself.
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def _wrap_sync(function: Callable[..., Any], spec: Spec, session: str) -> Callable[..., Any]:
    # By name: the closure is pickled for Elastic's ranks, and what opens runs must not be loaded by decoration.
    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        return _load_session(session).call_sync(function, spec, arguments, named)

    return run


def _wrap_async(function: Callable[..., Any], spec: Spec, session: str) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> Any:
        return await _load_session(session).call_async(function, spec, arguments, named)

    return run


def check_trackable(target: Any, decorator: str) -> Callable[..., Any]:
    """Return the target if a decorator can wrap it.

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
            f"{decorator} cannot track the generator {name}: its body runs after the call has returned; decorate the "
            "function that consumes it"
        )
    if not callable(target):
        raise SettingError(f"{decorator} decorates a task or a function, not {target!r}; pass settings by name")
    return target  # type: ignore[no-any-return]
