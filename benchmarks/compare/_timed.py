"""Rows that are timed: two samples, their ratio, and who is ahead by more than the spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from .._samples import Samples, rounded
from ._arms import Arm


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One measured thing; less is better.

    Attributes:
        what: What was measured.
        theirs: Values of the existing plugin.
        ours: Our values.
        why: Why ours may be worse; shown only where it is.
        note: What holds for both, such as a size.
    """

    what: str
    theirs: Samples
    ours: Samples
    why: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Our median in units of theirs, None where theirs is not above 0."""
        return self.ours.median / self.theirs.median if self.theirs.median > 0 else None

    @property
    def worse(self) -> bool:
        """Whether our median is above theirs by more than the wider of the two spreads."""
        return self.ours.median - self.theirs.median > max(self.ours.iqr, self.theirs.iqr)


Measure = Callable[["Task"], Sequence[Timed]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a measurement is given.

    Attributes:
        arms: The existing plugin and ours.
        folder: A folder for its files.
        quick: Whether few repetitions are wanted.
        progress: Where it shows how far it is.
    """

    arms: tuple[Arm, Arm]
    folder: Path
    quick: bool
    progress: Progress

    def times(self, full: int, quick: int = 2) -> int:
        """Return how often to repeat."""
        return quick if self.quick else full


def spread(samples: Samples) -> str:
    """Say the median and the whole range.

    >>> spread(Samples([0.2, 0.1, 0.4]))
    '200 ms [100-400]'
    """
    low, middle, high = (
        rounded(value * samples.scale) for value in (min(samples.values), samples.median, max(samples.values))
    )
    return f"{middle} {samples.unit}".rstrip() + f" [{low}-{high}]"


def ratio_text(row: Timed) -> str:
    """Say the ratio, and whether it is more than the spread."""
    if row.ratio is None:
        return "-"
    close = abs(row.ours.median - row.theirs.median) <= max(row.ours.iqr, row.theirs.iqr)
    return f"{row.ratio:.2f} x{' (within the spread)' if close else ''}"
