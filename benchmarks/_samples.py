"""Measured values: their unit, middle and spread."""

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


def rounded(value: float) -> str:
    """Write three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
