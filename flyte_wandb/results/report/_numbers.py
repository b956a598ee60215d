"""Numbers for people: short texts, and the ticks of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_ROUND: Final = (1, 2, 5, 10)
"""First digits of the steps between ticks, which people count in."""

_UNITS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_DIGITS: Final = range(2, 10)
"""Significant digits that labels are tried with."""

_ALL_DIGITS: Final = 17
"""Significant digits that tell any two floats apart."""

_FINEST: Final = 1e-9
"""The finest step, relative to the values: below it, rounding errors would choose the ticks."""

_SLACK: Final = 1e-9
"""Rounding errors that are allowed where a value is compared with a multiple of the step."""


def format_number(value: float, digits: int = 5) -> str:
    """Write a number with up to `digits` significant digits; large whole numbers in full.

    >>> [format_number(value) for value in (0.3333333, 1234567, 1.5e-9, -0.0, float("nan"))]
    ['0.33333', '1,234,567', '1.5e-9', '0', 'NaN']
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    # Beyond 2**53, about 9e15, a float no longer has every whole number: its last digits would be invented.
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e9:
        text = f"{_round_digits(value, digits):,.{_count_decimals(value, digits)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def format_ticks(values: Sequence[float]) -> list[str]:
    """Write the ticks of an axis as short as possible, but all different.

    >>> format_ticks([0, 50_000, 100_000]), format_ticks([0.25, 0.5, 0.75]), format_ticks([1e-7, 2e-7])
    (['0', '50k', '100k'], ['0.25', '0.5', '0.75'], ['1e-7', '2e-7'])
    """
    for digits in _DIGITS:
        if all(math.isclose(_round_digits(value, digits), value, rel_tol=_SLACK) for value in values):
            written = [_format_label(value, digits) for value in values]
            if len(set(written)) == len(values):
                return written
    return [format_number(value, _ALL_DIGITS) for value in values]


def choose_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return about `most` round values between two numbers; one where the numbers are the same.

    >>> choose_ticks(0, 10), choose_ticks(0.1, 0.95), choose_ticks(3, 3)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [0.2, 0.4, 0.6, 0.8], [3.0])
    """
    # Halved first: the span of two large numbers of different signs is more than a float holds.
    rough = (high / 2 - low / 2) / most * 2
    if rough <= _FINEST * max(abs(low), abs(high)):
        return [float(low)] if low == high else [float(low), float(high)]
    step = _round_step(rough)
    first, last = math.ceil(low / step - _SLACK), math.floor(high / step + _SLACK)
    # 12 digits, so that 3 times 0.1 is 0.3 and not 0.30000000000000004.
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def position_between(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others: 0 at the lower, 1 at the higher; 0.5 where these are the same.

    >>> position_between(1, 0, 4), position_between(5, 5, 5), position_between(0, -1.7e308, 1.7e308)
    (0.25, 0.5, 0.5)
    """
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span > 0 else 0.5


def _round_step(rough: float) -> float:
    exponent = math.floor(math.log10(rough))
    # From a text, because 10.0**-5 is not exactly the 1e-5 that people write.
    steps = (float(f"{factor}e{exponent}") for factor in _ROUND)
    return next((step for step in steps if step >= rough * 0.75), rough)


def _format_label(value: float, digits: int) -> str:
    for unit, name in _UNITS if 1e4 <= abs(value) < 1e12 else ():
        if abs(value) >= unit:
            return f"{format_number(float(f'{value / unit:.{digits}g}'), digits)}{name}"
    return format_number(float(f"{value:.{digits}g}"), digits)


def _round_digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _count_decimals(value: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))
