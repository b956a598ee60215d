"""The tracked call that surrounds a piece of code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from flyte_wandb_hookspecs import Plan, Request

from .._action import Action, current_action
from ._registry import Lease
from ._termination import Interruption


@dataclass(frozen=True, kw_only=True)
class TrackedCall:
    """One call of a tracked function: its action, its plan, and the run that it holds.

    Attributes:
        action: The Flyte action, or None outside of Flyte.
        request: What was planned for.
        plan: The plan.
        inputs: What the run's configuration says of the inputs of the call.
        lease: The run it holds, or None for a rank that skips.
        monitor: What a MONITOR holds in the place of a lease: nobody but this package writes to that run.
        fell_back: Whether the run is offline because W&B did not open it; the tasks below then stay offline, too.
        interruption: What can end the function from outside.
        process: Id of the process that called the function.
    """

    action: Action | None
    request: Request
    plan: Plan
    inputs: Mapping[str, Any] = field(default_factory=dict, compare=False)
    lease: Lease | None = None
    monitor: Lease | None = None
    fell_back: bool = False
    interruption: Interruption = field(default_factory=Interruption, compare=False)
    process: int = field(default_factory=os.getpid, compare=False)

    @property
    def in_fork(self) -> bool:
        """Whether this is a forked child of the process that called the function; what was opened is its parent's."""
        return self.process != os.getpid()


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What became of the run that a tracked function held.

    Attributes:
        exit_code: With which the run was finished, or None where there is none, or where others still hold it.
        kept: Where an offline run is kept, or None.
    """

    exit_code: int | None = None
    kept: str | None = None


CURRENT_CALL: Final[ContextVar[TrackedCall | None]] = ContextVar("flyte_wandb_tracked", default=None)


def current_call() -> TrackedCall | None:
    """Return the tracked call that surrounds this code: in the same action, its traces and threads with its context."""
    # A child task that runs in this process has a copy of its parent's context, and is another action.
    tracked = CURRENT_CALL.get()
    return tracked if tracked is not None and tracked.action == current_action() else None
