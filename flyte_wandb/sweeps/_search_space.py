"""Parameters that a sweep can give out, as its configuration says: all listed values, and the ends of all ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

UNKNOWN: Final = object()
"""A value of a parameter that the configuration does not describe."""

_EXPONENTS: Final[Mapping[str, int]] = {"log_uniform": 1, "inv_log_uniform": -1}
"""Distributions with exponents of e as ends, and the sign of the exponents."""

_FRACTION: Final = 0.3819660112501051
"""Position in a range of the value between its ends. Between whole ends it has a fraction."""


def sample_parameters(search: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a few sets of parameters that contain every value that a type can refuse.

    Args:
        search: The ``parameters`` of a sweep's configuration.

    >>> list(sample_parameters({"x": {"values": [1, 2, 3]}, "lr": {"value": 0.1}}))
    [{'x': 1, 'lr': 0.1}, {'x': 2, 'lr': 0.1}, {'x': 3, 'lr': 0.1}]
    >>> list(sample_parameters({"layers": {"min": 1, "max": 4}}))
    [{'layers': 1}, {'layers': 4}]
    """
    values = {name: _values(parameter) for name, parameter in search.items()}
    for index in range(max(map(len, values.values()), default=1)):
        yield {name: choices[min(index, len(choices) - 1)] for name, choices in values.items()}


def _values(parameter: Any) -> list[Any]:
    match parameter:
        case {"parameters": Mapping() as inner}:
            return list(sample_parameters(inner))
        case {"value": value}:
            return [value]
        case {"values": [_, *_] as values}:
            return list(values)
        case {"min": int() | float() as low, "max": int() | float() as high}:
            return _values_of_range(parameter.get("distribution"), low, high, parameter.get("q", 1))
        case {"distribution": str(name)} if "normal" in name:
            return _values_of_normal(name, parameter.get("mu", 0.0), parameter.get("q", 1))
    return [UNKNOWN]


def _values_of_range(distribution: str | None, low: float, high: float, step: float) -> list[Any]:
    if distribution == "int_uniform" or (distribution is None and isinstance(low, int) and isinstance(high, int)):
        return [low, high]
    name = (distribution or "uniform").removeprefix("q_")
    sign = _EXPONENTS.get(name)
    ends = sorted(math.exp(sign * end) for end in (low, high)) if sign else [float(low), float(high)]
    if name != distribution and distribution is not None:
        return [round(end / step) * step for end in ends]
    return [*ends, ends[0] + (ends[1] - ends[0]) * _FRACTION]


def _values_of_normal(name: str, mean: float, step: float) -> list[Any]:
    """Return the middle of a distribution without ends."""
    middle = math.exp(mean) if "log" in name else mean
    return [round(middle / step) * step] if name.startswith("q_") else [middle + _FRACTION]
