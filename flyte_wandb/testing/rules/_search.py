"""The parameters of a sweep's trials: all combinations for a grid, and draws for the other methods.

A parameter is ``{"value": one}``, ``{"values": [...]}`` with or without ``probabilities``, ``{"parameters": {...}}``
with nested parameters, or has a ``distribution`` with its numbers: every one that W&B documents.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any, Final

_SEED: Final = 0
_METHODS: Final = ("grid", "random", "bayes")


def _normal(draw: random.Random, parameter: Mapping[str, Any]) -> float:
    return draw.gauss(parameter.get("mu", 0.0), parameter.get("sigma", 1.0))


def _uniform(draw: random.Random, parameter: Mapping[str, Any]) -> float:
    return draw.uniform(parameter["min"], parameter["max"])


def _between_logs(draw: random.Random, parameter: Mapping[str, Any]) -> float:
    return math.exp(draw.uniform(math.log(parameter["min"]), math.log(parameter["max"])))


_DISTRIBUTIONS: Final[Mapping[str, Callable[[random.Random, Mapping[str, Any]], Any]]] = {
    "constant": lambda draw, parameter: parameter["value"],
    "categorical": lambda draw, parameter: draw.choices(parameter["values"], parameter.get("probabilities"))[0],
    "int_uniform": lambda draw, parameter: draw.randint(parameter["min"], parameter["max"]),
    "uniform": _uniform,
    "log_uniform": lambda draw, parameter: math.exp(_uniform(draw, parameter)),
    "log_uniform_values": _between_logs,
    "inv_log_uniform": lambda draw, parameter: math.exp(-_uniform(draw, parameter)),
    "inv_log_uniform_values": _between_logs,
    "normal": _normal,
    "log_normal": lambda draw, parameter: math.exp(_normal(draw, parameter)),
}
"""By name; each but the first three is also there in multiples of ``q``, under a name that begins with ``q_``."""


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
        case {"distribution": "q_uniform", "min": low, "max": high}:
            step = parameter.get("q", 1)
            return [low + step * number for number in range(math.floor((high - low) / step + 1e-9) + 1)]
        case {"min": int(low), "max": int(high)}:
            return range(low, high + 1)
    raise ValueError(f"the parameter {name!r} is {dict(parameter)!r}; a grid takes values, a value, or a range of int")


def _draws(parameters: Mapping[str, Any], draw: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        yield _drawn(parameters, draw)


def _drawn(parameters: Mapping[str, Any], draw: random.Random) -> dict[str, Any]:
    return {name: _draw(name, parameter, draw) for name, parameter in parameters.items()}


def _draw(name: str, parameter: Mapping[str, Any], draw: random.Random) -> Any:
    if "parameters" in parameter:
        return _drawn(parameter["parameters"], draw)
    kind = parameter.get("distribution") or _usual(parameter)
    base = kind if kind in _DISTRIBUTIONS else kind.removeprefix("q_")
    if base not in _DISTRIBUTIONS:
        raise ValueError(f"the parameter {name!r} has the distribution {kind!r}; use one of {list(_DISTRIBUTIONS)}")
    try:
        value = _DISTRIBUTIONS[base](draw, parameter)
    except KeyError as missing:
        raise ValueError(f"the parameter {name!r} is {dict(parameter)!r}; give it {missing} for {kind}") from None
    step = parameter.get("q", 1)
    return value if base == kind else round(value / step) * step


def _usual(parameter: Mapping[str, Any]) -> str:
    """Return the distribution of a parameter that names none."""
    if "values" in parameter:
        return "categorical"
    if "value" in parameter:
        return "constant"
    return "int_uniform" if all(isinstance(parameter.get(end), int) for end in ("min", "max")) else "uniform"
