"""The wrapper around a task's function. Light: what opens runs is imported when the function is first called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from ._spec import Spec


def track(function: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    """Wrap a function so that it runs inside the right run. Keeps it sync or async, and picklable."""
    wrapper = _tracked_async(function, spec) if _is_async(function) else _tracked_sync(function, spec)
    wrapper.__wandb_spec__ = spec  # type: ignore[attr-defined]
    return wrapper


def is_tracked(function: object) -> bool:
    """Whether `wandb_init` has wrapped this function before."""
    return hasattr(function, "__wandb_spec__")


def _is_async(function: Callable[..., Any]) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(type(function).__call__)


def _tracked_sync(function: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        from ._session import call_sync

        return call_sync(function, spec, arguments, named)

    return run


def _tracked_async(function: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*arguments: Any, **named: Any) -> Any:
        from ._session import call_async

        return await call_async(function, spec, arguments, named)

    return run
