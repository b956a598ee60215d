"""Filters and orders of lists: W&B's filters are those of MongoDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

Field = Callable[[str], Any]
"""Gives the value of a field by its name: None if it has none, a tuple if it has several."""

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


def matches(field: Field, wanted: Mapping[str, Any]) -> bool:
    """Tell whether something fits a filter.

    Args:
        field: Its values.
        wanted: Values by field, or conditions such as ``{"$gt": 1, "$lt": 3}``; filters by ``$and``, ``$or`` and
            ``$nor``. A condition on several values, such as tags, holds where it holds for one of them.

    Raises:
        NotImplementedError: There is no such field or operator here, however the rest of the filter turns out.

    >>> matches({"tags": ("a", "b"), "loss": 2}.get, {"tags": "b", "loss": {"$gt": 1, "$not": {"$in": [3]}}})
    True
    """
    fits = [_fits(field, name, value) for name, value in wanted.items()]  # all of them, so that a mistake is seen
    return all(fits)


def _fits(field: Field, name: str, value: Any) -> bool:
    if name in _GROUPS:
        return _GROUPS[name]([matches(field, part) for part in value])
    return _holds(field(name), value if isinstance(value, dict) else {"$eq": value})


def _holds(own: Any, conditions: Mapping[str, Any]) -> bool:
    holds = [_test(own, operator, value) for operator, value in conditions.items()]
    return all(holds)


def _test(own: Any, operator: str, value: Any) -> bool:
    match operator:
        case "$ne" | "$nin":
            return not _test(own, {"$ne": "$eq", "$nin": "$in"}[operator], value)
        case "$not":
            return not _holds(own, value)
        case "$exists":
            return (own is not None) is bool(value)
    if operator not in _TESTS:
        raise NotImplementedError(f"it does not know the operator {operator} of filters")
    return any(_TESTS[operator](one, value) for one in (own if isinstance(own, tuple) else (own,)))


def ordered(items: Sequence[T], field: Callable[[T], Field], order: str) -> list[T]:
    """Sort items by a field.

    Args:
        items: The items in order of creation.
        field: Gives the values of one.
        order: A field after ``+`` for ascending, which it is without a sign too, or ``-`` for descending. Items without
            the value come last.
    """
    name, downwards = order.lstrip("+-"), order.startswith("-")
    if name in ("created_at", "createdAt"):  # times have whole seconds
        return list(reversed(items)) if downwards else list(items)
    values = [(field(item)(name), item) for item in items]
    known = sorted((one for one in values if one[0] is not None), key=lambda one: one[0], reverse=downwards)
    return [item for _, item in known] + [item for value, item in values if value is None]


def look_up(value: Any, path: Sequence[str]) -> Any:
    """Return the value at a path in nested dictionaries, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
