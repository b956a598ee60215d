"""The parameters of a sweep's trials: all combinations for a grid, and draws for the other methods.

A parameter is ``{"value": one}``, ``{"values": [...]}``, a range of ``min`` and ``max`` with or without a
``distribution``, or ``{"parameters": {...}}`` with parameters of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

_SEED: Final = 0
_DISTRIBUTIONS: Final[Mapping[str, Callable[[random.Random, Any, Any], Any]]] = {
    "int_uniform": lambda draw, low, high: draw.randint(low, high),
    "uniform": lambda draw, low, high: draw.uniform(low, high),
    "log_uniform_values": lambda draw, low, high: math.exp(draw.uniform(math.log(low), math.log(high))),
}
_METHODS: Final = ("grid", "random", "bayes")


def trials(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the parameters of one trial after the other: the same for the same config.

    Args:
        config: The sweep's configuration. ``bayes`` draws like ``random``.

    Raises:
        ValueError: The method or a parameter is not one that this module knows.
    """
    method, parameters = config.get("method"), config.get("parameters") or {}
    if method not in _METHODS:
        raise ValueError(f"the sweep's method is {method!r}; use one of {', '.join(_METHODS)}")
    if method == "grid":
        return islice(_combinations(parameters), config.get("run_cap"))
    _drawn(parameters, random.Random(_SEED))
    return islice(_draws(parameters, random.Random(_SEED)), config.get("run_cap"))


def expected(config: Mapping[str, Any]) -> int | None:
    """Return how many trials `trials` gives, or None for no end."""
    cap: int | None = config.get("run_cap")
    if config["method"] != "grid":
        return cap
    size = math.prod(len(_choices(name, one)) for name, one in (config.get("parameters") or {}).items())
    return size if cap is None else min(size, cap)


def _combinations(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    choices = [_choices(name, parameter) for name, parameter in parameters.items()]
    return (dict(zip(parameters, chosen, strict=True)) for chosen in product(*choices))


def _choices(name: str, parameter: Mapping[str, Any]) -> Sequence[Any]:
    match parameter:
        case {"values": values}:
            return list(values)
        case {"value": value}:
            return [value]
        case {"parameters": inner}:
            return list(_combinations(inner))
        case {"min": int(low), "max": int(high)}:
            return range(low, high + 1)
    raise ValueError(f"the parameter {name!r} is {dict(parameter)!r}; a grid takes values, a value, or a range of int")


def _draws(parameters: Mapping[str, Any], draw: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        yield _drawn(parameters, draw)


def _drawn(parameters: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    return {name: _draw(name, parameter, draw) for name, parameter in parameters.items()}


def _draw(name: str, parameter: Mapping[str, Any], draw: random.Random) -> Any:
    match parameter:
        case {"values": values}:
            return draw.choice(values)
        case {"value": value}:
            return value
        case {"parameters": inner}:
            return _drawn(inner, draw)
        case {"min": low, "max": high}:
            return _distribution(name, parameter)(draw, low, high)
    raise ValueError(f"the parameter {name!r} is {dict(parameter)!r}; give it values, a value, or min and max")


def _distribution(name: str, parameter: Mapping[str, Any]) -> Callable[[random.Random, Any, Any], Any]:
    whole = isinstance(parameter["min"], int) and isinstance(parameter["max"], int)
    wanted = parameter.get("distribution", "int_uniform" if whole else "uniform")
    if wanted not in _DISTRIBUTIONS:
        raise ValueError(f"the parameter {name!r} has the distribution {wanted!r}; use one of {list(_DISTRIBUTIONS)}")
    return _DISTRIBUTIONS[wanted]
