"""A soak as rows of the table, and what went wrong in words."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .._rows import Row
from .check import Check

_TOLERANCES: Final = {"memory": 8.0, "file descriptors": 4, "threads": 4, "W&B's service processes": 0}
"""By how much the last quarter's median may be above that of the second."""

_LOST_SECONDS: Final = 3.0
"""What may be lost with W&B's service: a second, and two more on a busy machine."""

_ENOUGH: Final = 400
"""Tasks from which on growth and time are judged: earlier, pools of threads still fill."""


def write_rows(check: Check, looks: list[dict[str, float]], left: list[str]) -> tuple[list[Row], list[str]]:
    """Return the rows of a soak, and every fault that they count."""
    faults = {**check.faults, "left in the process at its end (runs, variables, W&B's processes)": left}
    judged = [
        Row(what=what, ours=str(len(found)), limit="0", repetitions=len(check.kept), ok=not found)
        for what, found in faults.items()
    ]
    measured = [_lost_row(check.lost_with_service()), *(_flat_row(what, looks) for what in _TOLERANCES)]
    if len(check.ledger.nodes) < _ENOUGH:
        measured = [replace(row, limit="-", ok=None) for row in measured]
    return [*_count_rows(check), *judged, *measured], [fault for found in faults.values() for fault in found]


def _count_rows(check: Check) -> list[Row]:
    """Say how much happened."""
    ledger, openings = check.ledger, sum(map(len, check.openings.values()))
    weather = [tree.weather for tree in ledger.trees]
    faults = sum(fault["times"] for one in weather for fault in one.faults)
    counts: dict[str, tuple[int, str]] = {
        "tasks": (len(ledger.nodes), _listed(node.fate for node in ledger.nodes.values())),
        "runs": (len(check.kept), _listed(kept.mode for kept in check.kept.values())),
        "openings, those of joiners among them": (len(ledger.started), f"{openings} by owners"),
        "faults of the server (429, 503, dropped)": (faults, f"{sum(bool(one.slow) for one in weather)} slow trees"),
        "trees with runs that W&B refuses": (sum(one.refused for one in weather), "-"),
        "W&B's service killed": (len(ledger.kills), f"{len(check.bereaved)} runs open then"),
        "rows logged": (sum(map(len, check.logged.values())), "-"),
    }
    return [Row(what=what, ours=f"{count:,}", result=result) for what, (count, result) in counts.items()]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items()))


def _lost_row(seconds: list[float]) -> Row:
    """Judge what a killed service took along: W&B's client writes to the disk every second."""
    oldest, after = max(seconds, default=0.0), sum(second < 0 for second in seconds)
    return Row(
        what="rows lost with a killed service, the oldest of them",
        ours=str(len(seconds)),
        result=f"{oldest:.2f} s before; {after} after",
        limit=f"{_LOST_SECONDS:g} s",
        repetitions=len(seconds),
        ok=oldest <= _LOST_SECONDS,
    )


def _flat_row(what: str, looks: list[dict[str, float]]) -> Row:
    """Compare the last quarter of the looks with the second one; the first is the start-up."""
    values, quarter, unit = [look[what] for look in looks], max(1, len(looks) // 4), " MiB" if what == "memory" else ""
    late, early = (statistics.median(part) for part in (values[-quarter:], values[quarter : 2 * quarter] or values))
    return Row(
        what=f"{what}: last quarter - second quarter",
        ours=f"{late:.4g}{unit}",
        baseline=f"{early:.4g}{unit}",
        result=f"{late - early:+.3g}",
        limit=f"{_TOLERANCES[what]:+g}",
        repetitions=len(values),
        ok=late - early <= _TOLERANCES[what],
    )
