"""Where a run starts: anew, at the end of an older run, or at a step of one. W&B has three arguments for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Request

START: Final = ("resume", "resume_from", "fork_from")
"""The arguments of `wandb.init` that exclude each other."""
BRANCHES: Final = ("resume_from", "fork_from")
"""Those that name a step. W&B's shared mode has no steps, so a run that starts there has one writer."""

_SEPARATOR: Final = "?_step="
_DECIDING: Final = (*START, "on_retry")
"""Settings of which at least one is part of each contradiction."""


def run_of(moment: str) -> str:
    """Return the id of the run in which a moment lies.

    >>> run_of("ans3bsax?_step=123")
    'ans3bsax'
    """
    return moment.partition(_SEPARATOR)[0]


def moment_in(run_id: str, step: int) -> str:
    """Return the moment after a step of a run, as W&B writes it.

    >>> moment_in("ans3bsax", 123)
    'ans3bsax?_step=123'
    """
    return f"{run_id}{_SEPARATOR}{step}"


def moment_fault(value: object) -> str | None:
    """Say why W&B would reject `value` as a moment of a run, or return None.

    >>> moment_fault("ans3bsax")
    "expected '<run id>?_step=<step>', such as 'ans3bsax?_step=123'"
    """
    if not isinstance(value, str):
        return f"expected a string, got {type(value).__name__}"
    run_id, separator, step = value.partition(_SEPARATOR)
    if run_id and separator and step.isdecimal() and not set(run_id) & set("/;?#"):
        return None
    return "expected '<run id>?_step=<step>', such as 'ans3bsax?_step=123'"


def start_fault(settings: Mapping[str, Any]) -> str | None:
    """Say which settings contradict each other about where the run starts, or None.

    >>> start_fault({"resume": "allow", "fork_from": "a?_step=1"})
    "W&B accepts only one of resume='allow' and fork_from='a?_step=1'; remove the others"
    """
    if settings.keys().isdisjoint(_DECIDING):
        return None
    starts = [f"{name}={settings[name]!r}" for name in START if settings.get(name) not in (None, False)]
    if len(starts) > 1:
        return f"W&B accepts only one of {' and '.join(starts)}; remove the others"
    if settings.get("on_retry") == "restart":
        names = (*START, "checkpoint_step", "joinable")
        others = [name for name in names if settings.get(name) is not None and settings[name] is not False]
        if others:
            return (
                "on_retry='restart' starts the run of a single writer over from its first step, so it cannot be "
                f"combined with {others[0]}={settings[others[0]]!r}; remove one of them"
            )
    run_id, branch = settings.get("id"), next((name for name in BRANCHES if settings.get(name)), None)
    if branch and settings.get("joinable"):
        return (
            f"joinable=True cannot be combined with {branch}: a run that other processes may write to has no steps; "
            "leave joinable out"
        )
    if branch == "resume_from" and run_id not in (None, run_of(settings[branch])):
        return f"resume_from={settings[branch]!r} goes back in another run than id={run_id!r}; leave id out"
    if branch == "fork_from" and run_id == run_of(settings[branch]):
        return f"fork_from={settings[branch]!r} forks from its own run, id={run_id!r}; use resume_from to go back in it"
    return None


def has_run_before(request: Request) -> bool:
    """Whether an earlier attempt, or start of the ranks, may have opened the run of this one."""
    again = request.attempt > 1 and request.settings.on_retry == "resume"
    return again or request.topology.restart_count > 0


def starts_over(request: Request) -> bool:
    """Whether this attempt is to start the run of an earlier one over."""
    again = request.attempt > 1 and request.settings.on_retry == "restart"
    return again and request.topology.restart_count == 0


def start_arguments(request: Request) -> dict[str, Any]:
    """Return the argument of `wandb.init` that says where the run starts, for its owner.

    An attempt that finds the run of an earlier one continues it, however the first attempt started it.
    """
    if starts_over(request):
        return {}
    wanted = {name: request.settings.init[name] for name in START if request.settings.init.get(name) is not None}
    if has_run_before(request):
        return {"resume": "must" if wanted.get("resume") == "must" or "fork_from" in wanted else "allow"}
    return wanted or {"resume": "allow"}
