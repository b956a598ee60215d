"""The inputs that the trials of a sweep get, checked for all of them before the first one runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flyte_wandb_hookspecs import plain_copy

from .._errors import SweepError
from .._logging import quoted
from ._declared_types import DeclaredType, declare_type, describe_type
from ._search_space import UNKNOWN, sample_parameters

InputsFrom = Mapping[str, str] | Callable[[dict[str, Any]], Mapping[str, Any]]
"""Which parameter each input is, or a function that makes inputs of the parameters."""


@dataclass(frozen=True, kw_only=True)
class TrialInputs:
    """How the parameters of a trial become inputs of its task.

    Attributes:
        task: The Flyte task.
        fixed: Inputs that all trials share.
        source: The source of inputs without a parameter of the same name, or None.
    """

    task: Any
    fixed: Mapping[str, Any]
    source: InputsFrom | None = None

    def check_search(self, search: Mapping[str, Any]) -> None:
        """Check that the task can take every trial of a sweep.

        Args:
            search: The ``parameters`` of the sweep's configuration.

        Raises:
            SweepError: A parameter is not an input of the task, has two values, cannot become the type of its input, or
                an input has no value.
        """
        for parameters in sample_parameters(search):
            self.build(parameters)

    def build(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of the task for a trial, as the types that the task declares.

        Raises:
            SweepError: See `check_search`.
        """
        named = self._name_inputs(plain_copy(parameters))
        self._check_names(parameters, named)
        return {name: self._convert(name, *entry) for name, entry in named.items()} | dict(self.fixed)

    def _name_inputs(self, parameters: dict[str, Any]) -> dict[str, tuple[str, Any]]:
        """Return the source, in words, and the value of each input."""
        if callable(self.source):
            return self._call_source(self.source, parameters)
        source = self.source or {}
        chosen = {name: (f"the parameter {path}", _at_path(parameters, path)) for name, path in source.items()}
        used = {_top_level_name(parameters, path) for path in source.values()}
        others = {name: (f"the parameter {name}", value) for name, value in parameters.items() if name not in used}
        return others | chosen

    def _call_source(
        self, source: Callable[[dict[str, Any]], Mapping[str, Any]], parameters: dict[str, Any]
    ) -> dict[str, tuple[str, Any]]:
        if any(value is UNKNOWN for value in _leaves(parameters)):
            return dict.fromkeys(self._kinds.keys() - self.fixed.keys(), ("inputs_from", UNKNOWN))
        try:
            inputs = dict(source(plain_copy(parameters)))
        except Exception as error:
            raise SweepError(
                f"inputs_from= of run_sweep failed with {type(error).__name__}: {error}; it got the parameters "
                f"{quoted(parameters)} and returns the inputs of {self.task.name!r} by name"
            ) from error
        return {name: ("inputs_from", value) for name, value in inputs.items()}

    def _check_names(self, parameters: Iterable[str], named: Mapping[str, Any]) -> None:
        declared = self.task.native_interface.inputs
        unknown = [name for name in (*named, *self.fixed) if name not in declared]
        twice = [name for name in named if name in self.fixed]
        needed = [name for name, (_, default) in declared.items() if default is inspect.Parameter.empty]
        missing = [name for name in needed if name not in named and name not in self.fixed]
        for fault, names in (
            ("does not take", unknown),
            ("gets two values for", twice),
            ("gets no value for", missing),
        ):
            if names:
                raise SweepError(
                    f"the task {self.task.name!r} {fault} {', '.join(names)}: the sweep's parameters are "
                    f"{', '.join(parameters) or 'none'}, inputs= has {', '.join(self.fixed) or 'none'}, and the task "
                    f"takes {', '.join(declared) or 'nothing'}"
                )

    @cached_property
    def _kinds(self) -> dict[str, DeclaredType]:
        return {name: declare_type(kind) for name, (kind, _) in self.task.native_interface.inputs.items()}

    def _convert(self, name: str, origin: str, value: Any) -> Any:
        if any(part is UNKNOWN for part in _leaves(value)):
            return value
        kind = self._kinds[name]
        try:
            return kind.convert(value)
        except (ValueError, TypeError) as fault:
            raise SweepError(
                f"the task {self.task.name!r} cannot take {quoted(value)} as {name}, which it declares as "
                f"{describe_type(kind.kind)}; the value is from {origin}: {fault}{_hint_at_text(value)}"
            ) from fault


def _at_path(parameters: Mapping[str, Any], path: str) -> Any:
    """Return the parameter of this name, else the nested parameter at this path."""
    value: Any = parameters
    steps = [path] if path in parameters else path.split(".")
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            raise SweepError(
                f"inputs_from= of run_sweep names the parameter {path!r}, which the sweep does not have; its "
                f"parameters are {', '.join(parameters) or 'none'}"
            )
        value = value[step]
    return value


def _top_level_name(parameters: Mapping[str, Any], path: str) -> str:
    return path if path in parameters else path.split(".")[0]


def _leaves(value: Any) -> Iterator[Any]:
    if not isinstance(value, Mapping):
        yield value
        return
    for item in value.values():
        yield from _leaves(item)


def _hint_at_text(value: Any) -> str:
    """Explain how YAML most often turns a number into a string."""
    if not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    return f"; it is a string, as YAML reads 1e-3 (it needs 1.0e-3); write {number!r}"
