"""The rows of the table of growth, each judged by the exponent that is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ._growth_fit import fitted
from ._rows import Row
from ._samples import rounded

CONSTANT: Final = 0.0
LINEAR: Final = 1.0
_TOLERANCE: Final = {CONSTANT: 0.1, LINEAR: 0.15}
_NAMES: Final = {CONSTANT: "constant", LINEAR: "linear or less"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was measured over one size.

    Attributes:
        what: What is done.
        of: What the size counts, such as ``ranks``.
        sizes: The sizes, rising.
        values: The cost of each.
        unit: The unit of the cost as people read it.
        scale: How many of it are in one unit of the values.
        expected: `CONSTANT` or `LINEAR`.
        repetitions: How often each was measured; the least counts, for what disturbs a machine only adds.
    """

    what: str
    of: str
    sizes: Sequence[int]
    values: Sequence[float]
    unit: str
    scale: float = 1.0
    expected: float
    repetitions: int = 1

    def row(self) -> Row:
        """Return the row of the table."""
        fit = fitted(self.sizes, self.values)
        shown = [f"{rounded(value * self.scale)} {self.unit}" for value in (self.values[0], self.values[-1])]
        return Row(
            what=f"{self.what}: {len(self.sizes)} sizes, {self.sizes[0]:,} to {self.sizes[-1]:,} {self.of}",
            ours=shown[1],
            baseline=shown[0],
            result=str(fit),
            limit=_NAMES[self.expected],
            repetitions=self.repetitions,
            ok=fit.exponent <= self.expected + _TOLERANCE[self.expected],
        )


def least(repetitions: int, measure: Callable[[], float]) -> float:
    """Measure several times and return the least."""
    return min(measure() for _ in range(repetitions))
