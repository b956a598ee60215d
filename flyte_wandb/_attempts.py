"""Which attempt of an action this is, counted from 1."""

from __future__ import annotations

import os
import weakref
from typing import Any, Final

import flyte

_KEY: Final = "_flyte_wandb_attempt"
_counts: dict[int, int] = {}


def attempt_here() -> int:
    """Return which attempt of the running action this is, from 1; 1 outside of Flyte.

    A container is told by Flyte's environment. Flyte's local controller tells nobody: there every attempt has the same
    action object and data of its own, in which the number is kept.

    >>> attempt_here()
    1
    """
    context = flyte.ctx()
    if not context:
        return 1
    if _KEY not in context.data:
        context.data[_KEY] = max(_told(), _counted(context.task_action or context.action))
    return int(context.data[_KEY])


def _told() -> int:
    """Read Flyte's variable, of which the older one counts from 0."""
    text, start = os.environ.get("FLYTE_ATTEMPT"), 0
    if text is None:
        text, start = os.environ.get("FLYTE_ATTEMPT_NUMBER", "0"), 1
    return int(text) + start if text.isdecimal() else 1


def _counted(action: Any) -> int:
    key = id(action)
    if key not in _counts:
        weakref.finalize(action, _counts.pop, key, None)
    _counts[key] = _counts.get(key, 0) + 1
    return _counts[key]
