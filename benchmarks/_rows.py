"""The rows of the table, each judged by its own limit."""

from __future__ import annotations

from dataclasses import dataclass

from ._samples import Samples, between, differences


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured thing. `ok` is None where there is no limit."""

    what: str
    ours: str
    baseline: str = "-"
    result: str = "-"
    limit: str = "-"
    repetitions: int
    ok: bool | None = None


def ratio_row(what: str, ours: Samples, baseline: Samples, limit: float | None = None) -> Row:
    """Compare two medians by their ratio."""
    ratio = ours.median / baseline.median
    return Row(
        what=what,
        ours=str(ours),
        baseline=str(baseline),
        result=f"{ratio:.2f} x",
        limit=f"{limit:.2f} x" if limit else "-",
        repetitions=len(ours.values),
        ok=ratio <= limit if limit else None,
    )


def difference_row(what: str, ours: Samples, baseline: Samples, limit: float | None = None) -> Row:
    """Judge the median difference between the two of a pair."""
    difference = differences(ours, baseline)
    return Row(
        what=what,
        ours=str(ours),
        baseline=str(baseline),
        result=between(difference),
        limit=f"{limit * ours.scale:g} {ours.unit}" if limit else "-",
        repetitions=len(ours.values),
        ok=difference.median <= limit if limit else None,
    )


def ceiling_row(what: str, ours: Samples, limit: float) -> Row:
    """Compare a median with a limit in its own unit."""
    return Row(
        what=what,
        ours=str(ours),
        result=f"{ours.median / limit:.0%} of the limit",
        limit=f"{limit * ours.scale:g} {ours.unit}",
        repetitions=len(ours.values),
        ok=ours.median <= limit,
    )
