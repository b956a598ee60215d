"""Trials of a sweep that run as actions of Flyte: the inputs they get, and what became of them."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from flyte_wandb_hookspecs import plain_copy

from .._errors import SweepError


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


def build_inputs(task: Any, parameters: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
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
    return {name: _as_type(wanted[name][0], plain_copy(value)) for name, value in parameters.items()} | dict(fixed)


def _as_type(kind: Any, value: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    return value
