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
    """The action of the running task, and of the task's traces.

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
"""An action before Flyte has given it names: these are the texts that Flyte fills in later."""


def current_action() -> Action | None:
    """Return the running task's or trace's action, or None outside Flyte."""
    # Falsy rather than None outside of a task (flyte 2.6 and newer), so its attributes must not be read yet.
    context = flyte.ctx()
    if not context:
        return None
    # Inside `flyte.trace`, `action` is a pseudo-action of the step; the task's own is `task_action`.
    action = context.task_action or context.action
    return Action(
        # Flyte's local driver has no run name; its action bears the name of the run (flyte 2.12.1).
        run_name=action.run_name or action.name,
        name=action.name,
        project=action.project,
        domain=action.domain,
        # Not "remote": a container is, and so is every rank that Elastic starts.
        local=context.mode == "local",
        context=context.custom_context or {},
    )


_KEY: Final = "_flyte_wandb_attempt"
_counts: dict[int, int] = {}
"""Local attempts so far, by the id of the action's object."""


def current_attempt() -> int:
    """Return which attempt of the running action this is, from 1; 1 outside of Flyte.

    In a container, it is in Flyte's environment. Flyte's local controller has it nowhere: its attempts share one action
    object, so they are counted here. Each attempt has its own data, which stores its number.

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
    # FLYTE_ATTEMPT counts from 1 and comes with flyte-sdk#1385; FLYTE_ATTEMPT_NUMBER counts from 0 (flyte 2.12.1).
    text, start = os.environ.get("FLYTE_ATTEMPT"), 0
    if text is None:
        text, start = os.environ.get("FLYTE_ATTEMPT_NUMBER", "0"), 1
    return int(text) + start if text.isdecimal() else 1


def _count_local_attempt(action: Any) -> int:
    # By identity, because Flyte's actions compare by their names, which a rerun has again.
    key = id(action)
    if key not in _counts:
        # Python gives the id of a dead object to another one, which would start at the old count.
        weakref.finalize(action, _counts.pop, key, None)
    _counts[key] = _counts.get(key, 0) + 1
    return _counts[key]
