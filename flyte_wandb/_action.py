"""The Flyte action in which this code runs, read from Flyte's context."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import flyte


@dataclass(frozen=True, kw_only=True)
class Action:
    """The action of the running task. Traces of the task belong to it.

    Attributes:
        run_name: Name of the Flyte run.
        name: Name of the action, the same in every attempt.
        project: Flyte project, or None in local mode.
        domain: Flyte domain, or None in local mode.
        local: Whether Flyte runs the whole tree of tasks in this process.
        context: Flyte's custom context, as the action received it.
    """

    run_name: str
    name: str
    project: str | None = None
    domain: str | None = None
    local: bool = True
    context: Mapping[str, str] = field(default_factory=dict, compare=False)


NAMELESS: Final = Action(
    run_name="{{.runName}}",
    name="{{.actionName}}",
    project="{{.executionProject}}",
    domain="{{.executionDomain}}",
    local=False,
)
"""An action before Flyte has given it names: these are the texts that it fills in later."""


def current_action() -> Action | None:
    """Return the action whose task or trace is running, or None outside Flyte."""
    context = flyte.ctx()
    if not context:
        return None
    action = context.task_action or context.action
    return Action(
        run_name=action.run_name or action.name,
        name=action.name,
        project=action.project,
        domain=action.domain,
        local=context.mode == "local",
        context=context.custom_context or {},
    )


_KEY: Final = "_flyte_wandb_attempt"
_counts: dict[int, int] = {}


def current_attempt() -> int:
    """Return which attempt of the running action this is, from 1; 1 outside of Flyte.

    A container is told by Flyte's environment. Flyte's local controller tells nobody: there every attempt has the same
    action object and data of its own, in which the number is kept.

    >>> current_attempt()
    1
    """
    context = flyte.ctx()
    if not context:
        return 1
    if _KEY not in context.data:
        context.data[_KEY] = max(_attempt_from_environ(), _count_local_attempt(context.task_action or context.action))
    return int(context.data[_KEY])


def _attempt_from_environ() -> int:
    """Read Flyte's variable, of which the older one counts from 0."""
    text, start = os.environ.get("FLYTE_ATTEMPT"), 0
    if text is None:
        text, start = os.environ.get("FLYTE_ATTEMPT_NUMBER", "0"), 1
    return int(text) + start if text.isdecimal() else 1


def _count_local_attempt(action: Any) -> int:
    key = id(action)
    if key not in _counts:
        weakref.finalize(action, _counts.pop, key, None)
    _counts[key] = _counts.get(key, 0) + 1
    return _counts[key]
