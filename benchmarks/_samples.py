"""Measured values: their unit, middle and spread, and how they grow."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    """What people read a value in: its name, and how many of it are one unit of the value."""

    name: str
    scale: float = 1.0

    def write(self, value: float) -> str:
        """Write a value with three digits or all before the point, and the unit."""
        return f"{rounded(value * self.scale)} {self.name}".rstrip()


MS: Final = Unit("ms", 1e3)
UNITS: Final = {unit.name: unit for unit in (MS, Unit("us", 1e6), *map(Unit, ("s", "KiB", "MiB", "threads", "")))}
"""Times are measured in seconds, memory in what it is shown in."""


@dataclass(frozen=True)
class Samples:
    """What one thing took, once per repetition, and the unit in which people read it."""

    values: Sequence[float]
    unit: Unit = MS

    @property
    def median(self) -> float:
        """The middle value, in the unit of the values."""
        return statistics.median(self.values)

    @property
    def iqr(self) -> float:
        """The width of the middle half; 0 where there is one value only."""
        if len(self.values) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return high - low

    @property
    def confidence(self) -> tuple[float, float]:
        """Between which two values the true median lies, with 95 % confidence; from their order, of whatever shape."""
        ordered, half = sorted(self.values), 0.98 * math.sqrt(len(self.values))
        low = math.floor(len(ordered) / 2 - half)
        return ordered[max(low, 0)], ordered[min(len(ordered) - 1 - low, len(ordered) - 1)]

    def __str__(self) -> str:
        return f"{self.unit.write(self.median)} (IQR {rounded(self.iqr * self.unit.scale)})"

    def minus(self, baseline: Samples) -> Samples:
        """Return what these took longer, pair by pair: what disturbs the machine for long disturbs both of a pair."""
        pairs = zip(self.values, baseline.values, strict=True)
        return Samples([one - other for one, other in pairs], self.unit)


@dataclass(frozen=True, slots=True)
class Fit:
    """A cost that is about ``factor * size ** exponent``."""

    exponent: float  # 0 for a constant cost, 1 for a linear one
    spread: float  # how far off the farthest point is, as a ratio from 1 on: 1.1 is 10 % above or below the line

    def __str__(self) -> str:
        return f"{self.exponent:.2f} (within {self.spread - 1:.0%})"


def fit_power(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """Fit a line through the logarithms of the upper half by least squares: small sizes tell of what is paid once.

    Args:
        sizes: Five or more, above 0, rising.
        costs: One above 0 for each.

    Raises:
        ValueError: There are fewer than five, or one has no logarithm.

    >>> str(fit_power([1, 10, 100, 1000, 10000], [7, 50, 300, 3000, 30000]))
    '1.00 (within 0%)'
    """
    if len(sizes) < 5 or min(*sizes, *costs) <= 0:
        raise ValueError(f"a fit needs five or more sizes and costs above 0, not {sizes} and {costs}")
    x, y = ([math.log(value) for value in values[len(sizes) // 2 :]] for values in (sizes, costs))
    slope, intercept = statistics.linear_regression(x, y)
    residuals = [abs(one - (intercept + slope * size)) for size, one in zip(x, y, strict=True)]
    return Fit(slope, math.exp(max(residuals)))


def rounded(value: float) -> str:
    """Write three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
