"""How a cost grows with a size: the exponent of a power law, how well it fits, and the row that says so."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ._experiments import Series
from ._rows import Declaration, Row

_MOST: Final = {"constant": 0.1, "linear": 1.15}
_NAMES: Final = {"constant": "constant", "linear": "linear or less"}


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


def judge_growth(declaration: Declaration, costs: Mapping[str, Series]) -> Row:
    """Return the row of a cost, judged by the exponent that is expected."""
    series, write = costs[declaration.value], declaration.unit.write
    fit, sizes = fit_power(series.sizes, series.values), series.sizes
    return Row(
        what=f"{declaration.what}: {len(sizes)} sizes, {sizes[0]:,} to {sizes[-1]:,} {series.of}",
        ours=write(series.values[-1]),
        baseline=write(series.values[0]),
        result=str(fit),
        limit=_NAMES[declaration.limit],
        repetitions=series.repetitions,
        ok=fit.exponent <= _MOST[declaration.limit],
    )
