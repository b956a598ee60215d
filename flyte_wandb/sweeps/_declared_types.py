"""From a value as W&B's JSON has it to the type that a task declares for an input."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from enum import EnumMeta
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_LITERAL_ENUM: Final = "LiteralEnum"
"""The class that Flyte puts into an interface for `Literal` of texts; the task gets the text (flyte 2.12.1)."""


@dataclass(frozen=True, kw_only=True)
class DeclaredType:
    """The type that a task declares for an input.

    JSON is read by pydantic, on which Flyte's type engine is built, in its strict mode. The engine's own reader of
    JSON cuts 1.5 to 1 for an int and takes any text for a bool (flyte 2.12.1).

    Attributes:
        kind: The type.
        adapter: What reads JSON as this type; None for a type that has no form in JSON.
    """

    kind: Any
    adapter: TypeAdapter[Any] | None

    def convert(self, value: Any) -> Any:
        """Return what W&B's JSON says as a value of this type.

        A whole number may stand for a float and a float without a fraction for an int, for W&B writes one as the
        other. An enum's member goes by its value or its name. What has no form in JSON is left to Flyte.

        Raises:
            ValueError: It cannot become one.

        >>> declare_type(dict[str, float]).convert({"lr": 1})
        {'lr': 1.0}
        >>> declare_type(tuple[int, ...]).convert([64.0, 32])
        (64, 32)
        """
        if self.adapter is None:
            return value
        converted = self._read_json(value)
        if isinstance(self.kind, EnumMeta) and self.kind.__name__ == _LITERAL_ENUM:
            converted = converted.value
        self._check_with_flyte(converted)
        return converted

    def _read_json(self, value: Any) -> Any:
        from pydantic import ValidationError

        assert self.adapter is not None
        spelled_out = _respell(self.kind, value)
        try:
            with suppress(ValidationError):
                # First as it is: 1.0 for `int | float` is a float, and "RED" for `str | Color` a text.
                return self.adapter.validate_json(json.dumps(value), strict=True)
            return self.adapter.validate_json(json.dumps(spelled_out), strict=True)
        except ValidationError as error:
            raise ValueError(_describe_faults(error.errors())) from None

    def _check_with_flyte(self, value: Any) -> None:
        from flyte.types import TypeEngine

        transformer: Any = TypeEngine.get_transformer(self.kind)
        try:
            if transformer.type_assertions_enabled:
                transformer.assert_type(self.kind, value)
        except Exception as error:
            raise ValueError(str(error)) from error


def declare_type(kind: Any) -> DeclaredType:
    """Return how values become the type `kind`."""
    from pydantic import PydanticUserError, TypeAdapter

    try:
        return DeclaredType(kind=kind, adapter=TypeAdapter(kind))
    except (PydanticUserError, NameError):  # a class that is no data, or an annotation that cannot be resolved
        return DeclaredType(kind=kind, adapter=None)


def describe_type(kind: Any) -> str:
    """Return a type as its author wrote it.

    >>> describe_type(float), describe_type(list[int] | None)
    ('float', 'list[int] | None')
    """
    if isinstance(kind, EnumMeta) and kind.__name__ == _LITERAL_ENUM:
        return f"one of {', '.join(repr(member.value) for member in kind)}"  # type: ignore[var-annotated]
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def _respell(kind: Any, value: Any) -> Any:
    """Write floats as ints, and names of an enum's members as their values, wherever the type wants them.

    Raises:
        ValueError: A dataclass has no such field; pydantic would leave it out.
    """
    inner, arguments = get_origin(kind), get_args(kind)
    if inner is Annotated:
        return _respell(arguments[0], value)
    if inner in (Union, types.UnionType):
        return value if type(value) in arguments else _respell_one_of(arguments, value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(kind, EnumMeta) and kind.__name__ != _LITERAL_ENUM:
        return _respell_member(kind, value)
    if isinstance(value, list | tuple):
        return [
            _respell(item_kind, item) for item_kind, item in zip(_item_kinds(kind, len(value)), value, strict=False)
        ]
    if isinstance(value, Mapping):
        kinds = _field_kinds(kind, value)
        return {name: _respell(kinds.get(name, Any), item) for name, item in value.items()}
    return value


def _respell_one_of(kinds: Iterable[Any], value: Any) -> Any:
    faults, spellings = [], []
    for kind in kinds:
        try:
            spellings.append((kind, _respell(kind, value)))
        except ValueError as fault:
            faults.append(fault)
    if not spellings:
        raise faults[0]
    return next((spelling for _, spelling in spellings if spelling != value), value)


def _respell_member(kind: EnumMeta, value: Any) -> Any:
    members: Mapping[str, Any] = kind.__members__
    is_value = any(type(member.value) is type(value) and member.value == value for member in members.values())
    return members[value].value if isinstance(value, str) and value in members and not is_value else value


def _item_kinds(kind: Any, length: int) -> tuple[Any, ...]:
    """Return the types of the items of an array: of a list, a tuple or a named tuple."""
    arguments = get_args(kind)
    if isinstance(kind, type) and hasattr(kind, "_fields"):
        arguments = tuple(get_type_hints(kind).values())
    elif len(arguments) == 1 or arguments[1:] == (...,):
        arguments = arguments[:1] * length
    return arguments + (Any,) * (length - len(arguments))


def _field_kinds(kind: Any, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the types of the values of an object: of a dict, or of a class with fields."""
    if get_origin(kind) is dict:
        return dict.fromkeys(value, get_args(kind)[1])
    described = get_origin(kind) or kind
    if is_dataclass(described):
        unknown = value.keys() - {field.name for field in fields(described)}
        if unknown:
            raise ValueError(f"{describe_type(kind)} has no field {', '.join(sorted(unknown))}")
    return get_type_hints(described) if isinstance(described, type) else {}


def _describe_faults(faults: Iterable[Mapping[str, Any]]) -> str:
    lines = {"".join(f"{step}: " for step in fault["loc"]) + str(fault["msg"]): None for fault in faults}
    return "; ".join(lines)
