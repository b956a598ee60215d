"""Values as text and back, without guessing: what comes out has the type and the text that went in.

Flyte's context carries text only. JSON keeps text, numbers, booleans, None, lists and text-keyed dicts apart; tuples
and dicts with other keys are marked, so that they come back as what they were. Anything else is refused.
"""

from __future__ import annotations

import json
import reprlib
from typing import Any, Final

from .._errors import SettingError
from .._logging import quoted

_TUPLE: Final = "$tuple"
_DICT: Final = "$dict"
_SCALARS: Final = (str, int, float, bool, type(None))


def encode_value(value: object, path: str) -> str:
    """Write `value` as text.

    Args:
        value: Text, numbers, booleans, None, and lists, tuples and dicts of these, of exactly these types.
        path: What the value is called in an error, such as ``config``.

    Raises:
        SettingError: Something in it cannot travel as text; the message has its path.

    >>> encode_value({"betas": (0.9, 0.999)}, "config")
    '{"betas": {"$tuple": [0.9, 0.999]}}'
    """
    try:
        return json.dumps(_mark_value(value, path))
    except RecursionError:
        raise SettingError(f"{path} contains itself, or is nested too deeply to travel in Flyte's context") from None
    except SettingError:
        raise
    except ValueError as error:
        raise SettingError(f"{path} cannot travel in Flyte's context: {error}") from None


def decode_value(text: str) -> Any:
    """Read what `encode_value` wrote.

    Raises:
        ValueError: `text` is not such a text.

    >>> decode_value('{"betas": {"$tuple": [0.9, 0.999]}}')
    {'betas': (0.9, 0.999)}
    """
    try:
        return _unmark_value(json.loads(text))
    except TypeError as error:
        raise ValueError(f"a type mark has a wrong value: {error}") from error
    except RecursionError as error:
        raise ValueError(f"it is nested too deeply: {error}") from error


def _mark_value(value: object, path: str) -> object:
    if type(value) in _SCALARS:
        return value
    if type(value) is list:
        return [_mark_value(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if type(value) is tuple:
        return {_TUPLE: [_mark_value(item, f"{path}[{index}]") for index, item in enumerate(value)]}
    if type(value) is dict:
        return _mark_dict(value, path)
    raise SettingError(
        f"{path} is {reprlib.repr(value)} of type {type(value).__module__}.{type(value).__qualname__}, which cannot "
        "travel in Flyte's context; use text, numbers, booleans, None, or lists, tuples and dicts of these"
    )


def _mark_dict(value: dict[Any, Any], path: str) -> dict[str, object]:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: _mark_value(item, f"{path}[{quoted(key)}]") for key, item in value.items()}
    return {
        _DICT: [
            [_mark_value(key, f"the key {quoted(key)} of {path}"), _mark_value(item, f"{path}[{quoted(key)}]")]
            for key, item in value.items()
        ]
    }


def _unmark_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmark_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TUPLE in value:
        return tuple(_unmark_value(item) for item in value[_TUPLE])
    if _DICT in value:
        return {_unmark_value(key): _unmark_value(item) for key, item in value[_DICT]}
    return {key: _unmark_value(item) for key, item in value.items()}
