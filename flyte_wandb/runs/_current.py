"""The tracked call that surrounds a piece of code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from flyte_wandb_hookspecs import Plan, Request

from .._action import Action, current_action
from ._registry import Lease
from ._termination import Interruption


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrackedCall:
    """One call of a tracked function: its action, its plan, and the run that it holds.

    Attributes:
        action: The Flyte action, or None outside of Flyte.
        request: What was planned for.
        plan: The plan.
        inputs: The inputs of the call, for the run's config.
        lease: The run it holds, or None for a rank that skips.
        monitor: The lease of a MONITOR; only this package writes to that run.
        fell_back: Whether the run is offline because W&B did not open it. The tasks below then stay offline, too.
        interruption: What can end the function from outside.
        process: Id of the process that called the function.
    """

    action: Action | None
    request: Request
    plan: Plan
    inputs: Mapping[str, Any] = field(default_factory=dict)
    lease: Lease | None = None
    monitor: Lease | None = None
    fell_back: bool = False
    interruption: Interruption = field(default_factory=Interruption)
    process: int = field(default_factory=os.getpid)

    @property
    def in_fork(self) -> bool:
        """Whether this is a forked child of the process that called the function; what was opened is its parent's."""
        return self.process != os.getpid()


class RunEnd(NamedTuple):
    """How the run of a tracked function ended.

    Attributes:
        exit_code: The exit code of the run. None without a run, or while others still hold it.
        kept: Place in storage of an offline run, or None.
    """

    exit_code: int | None = None
    kept: str | None = None


CURRENT_CALL: Final[ContextVar[TrackedCall | None]] = ContextVar("flyte_wandb_tracked", default=None)


def current_call() -> TrackedCall | None:
    """Return the tracked call that surrounds this code: in the same action, its traces and threads with its context."""
    # A child task that runs in this process has a copy of its parent's context, and is another action.
    tracked = CURRENT_CALL.get()
    return tracked if tracked is not None and tracked.action == current_action() else None
