"""Measured values: alternating what is compared, and saying middle and spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Samples:
    """What one thing took, once per repetition, and the unit in which people read it."""

    values: Sequence[float]
    unit: str = "ms"
    scale: float = 1e3

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
        return f"{rounded(self.median * self.scale)} {self.unit} (IQR {rounded(self.iqr * self.scale)})"


def differences(ours: Samples, baseline: Samples) -> Samples:
    """Return what ours took longer, pair by pair: what disturbs the machine for long disturbs both of a pair."""
    pairs = zip(ours.values, baseline.values, strict=True)
    return Samples([one - other for one, other in pairs], ours.unit, ours.scale)


def alternated(rounds: int, arms: Sequence[Callable[[], T]], tick: Callable[[], None]) -> list[list[T]]:
    """Call every arm once per round, another one first in each, and return the results of each arm."""
    results: list[list[T]] = [[] for _ in arms]
    for turn in range(rounds):
        for place in range(len(arms)):
            arm = (turn + place) % len(arms)
            results[arm].append(arms[arm]())
        tick()
    return results


def between(samples: Samples) -> str:
    """Say the median and its 95 % confidence interval."""
    middle, low, high = (rounded(value * samples.scale) for value in (samples.median, *samples.confidence))
    return f"{middle} {samples.unit} (95 %: {low} to {high})"


def rounded(value: float) -> str:
    """Write three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
