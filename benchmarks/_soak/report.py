"""A soak as rows of the table, and what went wrong in words."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace

from .._rows import Row
from .driver import Result
from .vitals import Vitals

MEMORY_TOLERANCE = 8.0
"""MiB by which the last quarter's median may be above that of the second."""

LOST_SECONDS = 3.0
"""What may be lost with W&B's service: a second, and two more on a busy machine."""

ENOUGH = 400
"""Tasks from which on growth and time are judged: earlier, pools of threads still fill."""

TOLERANCE = 4
"""File descriptors and threads, the same."""


def rows_of(result: Result) -> tuple[list[Row], list[str]]:
    """Return the rows, and every fault that they count."""
    check = result.check
    faults: dict[str, list[str]] = {
        "runs lost, or not opened by a task": sorted(check.lost_runs()),
        "tasks with another run than theirs, runs in another place": sorted(check.wrong_runs()),
        "runs with rows of others, or overwritten": sorted(check.wrong_rows()),
        "runs that lost rows while W&B's service lived": sorted(check.lost_rows()),
        "runs with another exit code than their task": sorted(check.wrong_ends()),
        "tasks whose outcome in Flyte is not their own": sorted(check.wrong_outcomes()),
        "runs whose start or end an observer was not told": sorted(check.wrong_observers()),
        "left in the process at its end (runs, variables, W&B's processes)": result.left,
    }
    judged = [_none_row(what, found, len(check.kept)) for what, found in faults.items()]
    measured = [_lost_row(check.lost_with_service()), *_flat(result.looks)]
    if len(result.ledger.nodes) < ENOUGH:
        measured = [replace(row, limit="-", ok=None) for row in measured]
    return [*_told(result), *judged, *measured], [fault for found in faults.values() for fault in found]


def _told(result: Result) -> list[Row]:
    ledger, check = result.ledger, result.check
    fates = Counter(node.fate for node in ledger.nodes.values())
    modes = Counter(kept.mode for kept in check.kept.values())
    weather = [tree.weather for tree in ledger.trees]
    faults = sum(fault["times"] for one in weather for fault in one.faults)
    logged = sum(map(len, check.logged.values()))
    return [
        _count_row("tasks", len(ledger.nodes), _listed(fates)),
        _count_row("runs", len(check.kept), _listed(modes)),
        _count_row(
            "openings, those of joiners among them", len(ledger.started), f"{_openings(check.endings)} by owners"
        ),
        _count_row(
            "faults of the server (429, 503, dropped)", faults, f"{sum(1 for one in weather if one.slow)} slow trees"
        ),
        _count_row("trees whose runs W&B refuses", sum(one.refused for one in weather)),
        _count_row("W&B's service killed", len(ledger.kills), f"{len(check.bereaved)} runs open then"),
        _count_row("rows logged", logged),
    ]


def _lost_row(seconds: list[float]) -> Row:
    """Judge what a killed service took along: W&B's client writes to the disk every second."""
    oldest, after = max(seconds, default=0.0), sum(second < 0 for second in seconds)
    return Row(
        what="rows lost with a killed service, the oldest of them",
        ours=str(len(seconds)),
        result=f"{oldest:.2f} s before; {after} after",
        limit=f"{LOST_SECONDS:g} s",
        repetitions=len(seconds),
        ok=oldest <= LOST_SECONDS,
    )


def _openings(endings: dict[str, list[int]]) -> int:
    return sum(map(len, endings.values()))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _count_row(what: str, count: int, result: str = "-") -> Row:
    return Row(what=what, ours=f"{count:,}", result=result, repetitions=1)


def _none_row(what: str, found: list[str], repetitions: int) -> Row:
    return Row(what=what, ours=str(len(found)), limit="0", repetitions=repetitions, ok=not found)


def _flat(looks: list[Vitals]) -> list[Row]:
    """Compare the last quarter of the looks with the second one; the first is the start-up."""
    return [
        _flat_row("memory", "MiB", [look.memory for look in looks], MEMORY_TOLERANCE),
        _flat_row("file descriptors", "", [look.descriptors for look in looks], TOLERANCE),
        _flat_row("threads", "", [look.threads for look in looks], TOLERANCE),
        _flat_row("W&B's service processes", "", [look.services for look in looks], 0),
    ]


def _flat_row(what: str, unit: str, values: list[float], tolerance: float) -> Row:
    quarter = max(1, len(values) // 4)
    late, early = (statistics.median(part) for part in (values[-quarter:], values[quarter : 2 * quarter] or values))
    return Row(
        what=f"{what}: last quarter - second quarter",
        ours=f"{late:.4g} {unit}".strip(),
        baseline=f"{early:.4g} {unit}".strip(),
        result=f"{late - early:+.3g}",
        limit=f"{tolerance:+g}",
        repetitions=len(values),
        ok=late - early <= tolerance,
    )
