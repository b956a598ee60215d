"""Tables of a tab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ._html import Html, joined, short, tag
from ._numbers import number

_MOST_ROWS: Final = 100
_MOST_NAME: Final = 100
_MOST_TEXT: Final = 200
_MOST_READ: Final = 2000


def table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Html:
    """Return a table with a heading for each column; None is an empty cell."""
    head = tag("tr", *(tag("th", column, scope="col") for column in columns))
    body = (tag("tr", *(tag("td", cell or "") for cell in row)) for row in rows)
    return _scrolling(tag("table", tag("thead", head), tag("tbody", *body)))


def facts(rows: Iterable[tuple[str, str | None]]) -> Html:
    """Return a table of names and values, without those that are None or empty."""
    shown = (tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows if value)
    return _scrolling(tag("table", tag("tbody", *shown), class_="facts"))


def values(told: Mapping[str, str]) -> Html:
    """Return a table of values that are written as JSON, by name; of many, the first ones, and how many more."""
    names = sorted(told)
    more = len(names) - _MOST_ROWS
    shown = facts((short(name, _MOST_NAME), _readable(told[name])) for name in names[:_MOST_ROWS])
    return joined(shown, tag("p", f"{more:,} more are not shown.", class_="note") if more > 0 else None)


def _scrolling(inner: Html) -> Html:
    return tag("div", inner, class_="wide")


def _readable(text: str) -> str:
    """Write a value as people do: texts without quotes, numbers short."""
    value = _read(text) if len(text) <= _MOST_READ and not text.startswith(("{", "[")) else text
    return number(value) if isinstance(value, float) else short(value or text, _MOST_TEXT)


def _read(text: str) -> str | float:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (str, float)) else text
