"""Which runs a list has, and in which order: the filters and orders of W&B that tests have needed so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ._run import Run

_FIELDS: Final[Mapping[str, Callable[[Run], Any]]] = {
    "displayName": lambda run: run.display_name or run.key.id,
    "display_name": lambda run: run.display_name or run.key.id,
    "group": lambda run: run.group,
    "jobType": lambda run: run.job_type,
    "name": lambda run: run.key.id,
    "notes": lambda run: run.notes,
    "state": lambda run: run.state,
    "sweep": lambda run: run.sweep,
}
_CREATED: Final = ("created_at", "createdAt")


def matches(run: Run, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a run fits a filter.

    Args:
        run: The run.
        wanted: Values by field, or ``{"$in": values}``; by ``tags`` one that the run has; filters by ``$and``, ``$or``.

    Raises:
        KeyError: There is no such field or operator here.
    """
    return all(_fits(run, name, value) for name, value in wanted.items())


def _fits(run: Run, name: str, value: Any) -> bool:
    match name:
        case "$and":
            return all(matches(run, part) for part in value)
        case "$or":
            return any(matches(run, part) for part in value)
        case "tags":
            return value in run.tags
    own = _FIELDS[name](run)
    return own in value["$in"] if isinstance(value, dict) else bool(own == value)


def ordered(runs: Sequence[Run], order: str) -> list[Run]:
    """Sort runs, which come in order of creation.

    Args:
        runs: The runs.
        order: ``created_at``, ``summary_metrics.NAME`` or ``config.NAME.value``, after ``+`` for ascending, which it
            is without a sign too, or ``-`` for descending. Runs without the value come last.
    """
    path, downwards = order.lstrip("+-"), order.startswith("-")
    if path in _CREATED:
        return list(reversed(runs)) if downwards else list(runs)
    values = [_value(run, path.split(".")) for run in runs]
    known = [number for number, value in enumerate(values) if value is not None]
    known.sort(key=lambda number: values[number], reverse=downwards)
    return [runs[number] for number in known] + [run for run, value in zip(runs, values, strict=True) if value is None]


def _value(run: Run, path: Sequence[str]) -> Any:
    value: Any = {"summary_metrics": run.summary, "config": run.config}[path[0]]
    for name in path[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value
