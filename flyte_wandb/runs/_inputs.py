"""The inputs of a task as its run's configuration shows them: plain values whole, data as its type and address."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from .._logging import mask_userinfo

LONGEST_TEXT: Final = 1000
"""Characters of a text that are shown; W&B draws tables of configurations."""
MOST_ITEMS: Final = 100
"""Items of a list or mapping that are shown."""
_DEEPEST: Final = 5
_SECRET: Final = re.compile(r"secret|password|passwd|token(?!s|iz)|credential|api_?key|private_?key|auth(?!or)", re.I)
"""Parts of the names of inputs with secret values. `tokens` and `tokenizer` are not secret."""
_HIDDEN: Final = "(hidden)"


def collect_inputs(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of a call of `function`, including defaults, as values that W&B can write.

    >>> def train(lr: float, layers: list[int], api_key: str = "x", note: str = ""): ...
    >>> collect_inputs(train, (0.1, [1, 2]), {"note": "a" * 1002})["lr"]
    0.1
    >>> collect_inputs(train, (0.1, [1, 2]), {"note": "a" * 1002})["api_key"]
    '(hidden)'
    >>> collect_inputs(train, (0.1, [1, 2]), {"note": "a" * 1002})["note"][-20:]
    'a… (1002 characters)'
    """
    try:
        bound = inspect.signature(function).bind(*arguments, **named)
    except (TypeError, ValueError):  # the call will say so better
        return {}
    bound.apply_defaults()
    return _show_mapping(bound.arguments, _DEEPEST)


def _show_mapping(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    shown = {
        str(key): _HIDDEN if _SECRET.search(str(key)) else _show_value(value, depth - 1)
        for key, value in islice(values.items(), MOST_ITEMS)
    }
    more = len(values) - MOST_ITEMS
    return shown | ({"…": f"({more:,} more)"} if more > 0 else {})


def _show_value(value: Any, depth: int) -> Any:
    """Return a value as W&B can write it."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _show_text(value)
    if address := _find_address(value):
        return {"type": type(value).__name__, "address": _show_text(address.partition("?")[0])}
    if depth <= 0:
        return _show_type(value)
    if isinstance(value, Mapping):
        return _show_mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        shown = [_show_value(item, depth - 1) for item in islice(value, MOST_ITEMS)]
        more = len(value) - MOST_ITEMS
        return [*shown, f"… ({more:,} more)"] if more > 0 else shown
    return _show_fields(value, depth)


def _show_text(text: str) -> str:
    # Half of a surrogate pair is no text, and W&B's client fails on it.
    text = mask_userinfo(text).encode(errors="replace").decode()
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text)} characters)"


def _find_address(value: Any) -> str | None:
    """Return where the data of a Flyte file, folder or dataframe is, or the path that a value is; else None."""
    for name in ("path", "uri"):
        if type(value).__module__.startswith("flyte.io") and isinstance(getattr(value, name, None), str):
            return str(getattr(value, name))
    return str(value) if hasattr(value, "__fspath__") else None


def _show_fields(value: Any, depth: int) -> Any:
    """Return the fields of a dataclass or pydantic model, and of all else its type only: data has no place here."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _show_mapping(fields, depth)
    if isinstance(known := getattr(type(value), "model_fields", None), Mapping):
        return _show_mapping({name: getattr(value, name) for name in known}, depth)
    return _show_type(value)


def _show_type(value: Any) -> dict[str, str]:
    return {"type": type(value).__name__}
