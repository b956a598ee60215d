"""Which runs a list has, and in which order: the filters of W&B, which are those of MongoDB, and its orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..state._run import Run
from ._calls import instant

_FIELDS: Final[Mapping[str, Callable[[Run], Any]]] = {
    "createdat": lambda run: instant(run.created),
    "displayname": lambda run: run.display_name or run.key.id,
    "entity": lambda run: run.key.entity,
    "group": lambda run: run.group,
    "heartbeatat": lambda run: instant(run.heartbeat),
    "jobtype": lambda run: run.job_type,
    "name": lambda run: run.key.id,
    "notes": lambda run: run.notes,
    "project": lambda run: run.key.project,
    "state": lambda run: run.state,
    "sweep": lambda run: run.sweep,
    "tags": lambda run: run.tags,
    "user": lambda run: run.key.entity,
    "username": lambda run: run.key.entity,
}
_CREATED: Final = ("created_at", "createdAt")
_GROUPS: Final[Mapping[str, Callable[[list[bool]], bool]]] = {
    "$and": all,
    "$or": any,
    "$nor": lambda fits: not any(fits),
}
_TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": lambda own, value: own == value,
    "$gt": lambda own, value: own is not None and own > value,
    "$gte": lambda own, value: own is not None and own >= value,
    "$in": lambda own, value: own in value,
    "$lt": lambda own, value: own is not None and own < value,
    "$lte": lambda own, value: own is not None and own <= value,
    "$regex": lambda own, value: own is not None and re.search(value, str(own)) is not None,
}
_OPPOSITES: Final = {"$ne": "$eq", "$nin": "$in"}


def matches(run: Run, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a run fits a filter.

    Args:
        run: The run.
        wanted: Values by field, or conditions such as ``{"$gt": 1, "$lt": 3}``; filters by ``$and``, ``$or`` and
            ``$nor``. Fields are those of a run, ``config.NAME`` and ``summary_metrics.NAME``, also with ``.value``.
            A condition on tags holds where it holds for one of them.

    Raises:
        KeyError: There is no such field or operator here.
    """
    return all(_fits(run, name, value) for name, value in wanted.items())


def _fits(run: Run, name: str, value: Any) -> bool:
    if name in _GROUPS:
        return _GROUPS[name]([matches(run, part) for part in value])
    return _holds(_field(run, name), value)


def _holds(own: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return _test("$eq", own, wanted)
    return all(_condition(own, operator, value) for operator, value in wanted.items())


def _condition(own: Any, operator: str, value: Any) -> bool:
    if operator in _OPPOSITES:
        return not _test(_OPPOSITES[operator], own, value)
    if operator == "$not":
        return not _holds(own, value)
    if operator == "$exists":
        return (own is not None) is bool(value)
    return _test(operator, own, value)


def _test(operator: str, own: Any, value: Any) -> bool:
    return any(_TESTS[operator](one, value) for one in (own if isinstance(own, tuple) else (own,)))


def _field(run: Run, name: str) -> Any:
    head, _, rest = name.partition(".")
    if rest:
        return _value(run, name.split("."))
    return _FIELDS[head.replace("_", "").lower()](run)


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
    config = {name: entry["value"] for name, entry in run.config.items()}
    value: Any = {"summary_metrics": run.summary, "summaryMetrics": run.summary, "config": config}[path[0]]
    inside = path[1:-1] if path[0] == "config" and path[-1] == "value" else path[1:]
    for name in inside:
        value = value.get(name) if isinstance(value, dict) else None
    return value
