"""How a cost grows with a size: the exponent of a power law, and how well it fits."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fit:
    """A cost that is about ``factor * size ** exponent``.

    Attributes:
        exponent: 0 for a constant cost, 1 for a linear one.
        spread: How far off the farthest point is, as a ratio from 1 on: 1.1 is 10 % above or below the line.
    """

    exponent: float
    spread: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f} (within {self.spread - 1:.0%})"


def upper_half(sizes: Sequence[float]) -> slice:
    """Return which of the sizes, in their order, are fitted: small ones tell of what is paid once."""
    return slice(len(sizes) // 2, None)


def fitted(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """Fit a line through the logarithms of the upper half by least squares.

    Args:
        sizes: Five or more, above 0, rising.
        costs: One above 0 for each.

    Raises:
        ValueError: There are fewer than five, or one has no logarithm.

    >>> str(fitted([1, 10, 100, 1000, 10000], [7, 50, 300, 3000, 30000]))
    '1.00 (within 0%)'
    """
    if len(sizes) < 5 or min(*sizes, *costs) <= 0:
        raise ValueError(f"a fit needs five or more sizes and costs above 0, not {sizes} and {costs}")
    half = upper_half(sizes)
    x, y = ([math.log(value) for value in values[half]] for values in (sizes, costs))
    slope, intercept = statistics.linear_regression(x, y)
    residuals = [abs(one - (intercept + slope * size)) for size, one in zip(x, y, strict=True)]
    return Fit(slope, math.exp(max(residuals)))
