"""Trials of a sweep that run as actions of Flyte: the inputs they get, and what became of them."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flyte_wandb_hookspecs import plain_copy

from ._errors import SweepError

TrialState = Literal["finished", "failed", "stopped"]
"""What became of a trial: it returned, it raised, or W&B's controller ended it early."""


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """What became of one trial of `run_sweep`.

    Attributes:
        number: Its place in the order in which W&B's controller gave trials out, from 0.
        run_id: Id of its W&B run.
        parameters: What the controller chose.
        state: What became of it.
        result: What the task returned; None unless it finished.
        error: What the task raised, or None.
        summary: The summary of its run, without W&B's own keys; empty where it could not be read.
        url: Page of its run.
    """

    number: int
    run_id: str
    parameters: Mapping[str, Any]
    state: TrialState
    result: Any = None
    error: BaseException | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""


def check_inputs(task: Any, parameters: Collection[str], fixed: Collection[str]) -> None:
    """Check that a task takes the parameters of a sweep, and nothing that nobody gives.

    Args:
        task: The task of Flyte.
        parameters: Names of the sweep's parameters.
        fixed: Names of the inputs that all trials have in common.

    Raises:
        SweepError: A parameter is no input of the task, is given twice, or an input has no value.
    """
    wanted = task.native_interface.inputs
    unknown = [name for name in (*parameters, *fixed) if name not in wanted]
    twice = [name for name in parameters if name in fixed]
    needed = [name for name, (_, default) in wanted.items() if default is inspect.Parameter.empty]
    missing = [name for name in needed if name not in parameters and name not in fixed]
    for fault, names in (("does not take", unknown), ("is given twice", twice), ("gets no value for", missing)):
        if names:
            raise SweepError(
                f"the task {task.name!r} {fault} {', '.join(names)}: the sweep's parameters are "
                f"{', '.join(parameters) or 'none'}, inputs= has {', '.join(fixed) or 'none'}, and the task takes "
                f"{', '.join(wanted) or 'nothing'}"
            )


def inputs_of(task: Any, parameters: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of the task for a trial: its parameters by name, and what is the same for all trials.

    A whole number is an input of type float as it is one for Python; W&B writes 1 for 1.0.

    Args:
        task: The task of Flyte.
        parameters: What W&B's controller chose.
        fixed: Inputs that are no parameters.

    Raises:
        SweepError: See `check_inputs`.
    """
    check_inputs(task, parameters, fixed)
    wanted = task.native_interface.inputs
    return {name: _as(wanted[name][0], plain_copy(value)) for name, value in parameters.items()} | dict(fixed)


def _as(kind: Any, value: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    return value
