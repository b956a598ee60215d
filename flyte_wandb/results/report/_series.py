"""A metric over the steps, in bounded memory: of many points, the extremes of each stretch are kept.

A plot has fewer columns than a run has rows. The extremes show what the whole line would show: one bad step in a
million is still a spike, where a mean or every n-th point would lose it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_BUCKETS: Final = 150
"""Stretches that are kept of a metric, each with its lowest and its highest point; an even number."""

Point = tuple[float, float]
"""A step and a value."""


@dataclass(slots=True)
class _Bucket:
    """Neighbouring points: how many, and the extremes of those that are finite."""

    count: int = 0
    lowest: Point | None = None
    highest: Point | None = None

    def points(self) -> list[Point]:
        """Return the extremes in the order of their steps, each once."""
        return sorted({point for point in (self.lowest, self.highest) if point})

    def merge_next(self, other: _Bucket) -> _Bucket:
        """Return this bucket and the next one as one."""
        points = [*self.points(), *other.points()]
        # The first of equal values, as `add_point` has it.
        lowest = min(points, key=lambda point: point[1], default=None)
        highest = max(points, key=lambda point: point[1], default=None)
        return _Bucket(self.count + other.count, lowest, highest)


@dataclass(slots=True)
class Series:
    """All values of one metric, of which at most 2 x `MOST_BUCKETS` are kept.

    Attributes:
        count: Finite values.
        holes: Values that are NaN or infinite.
        low: The lowest finite value; infinity without any.
        high: The highest one; minus infinity without any.
        last: The last value, finite or not.
        steps: The lowest and the highest step.

    >>> series = Series()
    >>> for step in range(1000):
    ...     series.add_point(step, 1.0 if step == 500 else 0.0)
    >>> [(step, value) for line in series.lines() for step, value in line if value]
    [(500, 1.0)]
    """

    count: int = 0
    holes: int = 0
    low: float = math.inf
    high: float = -math.inf
    last: float = math.nan
    steps: Point = (math.inf, -math.inf)
    _size: int = 1
    _buckets: list[_Bucket] = field(default_factory=list)

    def add_point(self, step: float, value: float) -> None:
        """Add the next value."""
        self.last = value
        self.steps = (min(self.steps[0], step), max(self.steps[1], step))
        bucket = self._next_bucket()
        bucket.count += 1
        if not math.isfinite(value):
            self.holes += 1
            return
        self.count += 1
        self.low, self.high = min(self.low, value), max(self.high, value)
        if bucket.lowest is None or value < bucket.lowest[1]:
            bucket.lowest = (step, value)
        if bucket.highest is None or value > bucket.highest[1]:
            bucket.highest = (step, value)

    def lines(self) -> Iterator[list[Point]]:
        """Yield the points that are kept, cut where a whole stretch has no finite value."""
        line: list[Point] = []
        for bucket in self._buckets:
            if points := bucket.points():
                line += points
            elif line:
                yield line
                line = []
        if line:
            yield line

    def _next_bucket(self) -> _Bucket:
        if self._buckets and self._buckets[-1].count < self._size:
            return self._buckets[-1]
        if len(self._buckets) == MOST_BUCKETS:
            # All are full: pairs become one each, so buckets stay equally long however long the run is.
            pairs = zip(self._buckets[::2], self._buckets[1::2], strict=True)
            self._buckets = [bucket.merge_next(other) for bucket, other in pairs]
            self._size *= 2
        self._buckets.append(_Bucket())
        return self._buckets[-1]
