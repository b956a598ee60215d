"""Tables of a tab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ._html import Html, html_tag, join_html, shorten_text
from ._numbers import format_number

# Bounds, because a report is one file that a browser loads whole.
_MOST_ROWS: Final = 100
_MOST_NAME: Final = 100
"""Characters of a name."""

_MOST_TEXT: Final = 200
"""Characters of a value."""

_MOST_PARSED: Final = 2000
"""Characters of JSON that are parsed; what is longer is shown as it is, cut."""


def build_table(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> Html:
    """Return a table with a heading for each column; None is an empty cell."""
    head = html_tag("tr", *(html_tag("th", column, scope="col") for column in columns))
    body = (html_tag("tr", *(html_tag("td", cell or "") for cell in row)) for row in rows)
    return _wrap_scrolling(html_tag("table", html_tag("thead", head), html_tag("tbody", *body)))


def build_facts(rows: Iterable[tuple[str, str | None]]) -> Html:
    """Return a table of names and values, without those that are None or empty."""
    body = (html_tag("tr", html_tag("th", name, scope="row"), html_tag("td", value)) for name, value in rows if value)
    return _wrap_scrolling(html_tag("table", html_tag("tbody", *body), class_="facts"))


def build_values(values: Mapping[str, str]) -> Html:
    """Return a table of values that are written as JSON, by name; of many, the first ones, and how many more."""
    names = sorted(values)
    more = len(names) - _MOST_ROWS
    table = build_facts((shorten_text(name, _MOST_NAME), _readable_value(values[name])) for name in names[:_MOST_ROWS])
    return join_html(table, html_tag("p", f"{more:,} more are not shown.", class_="note") if more > 0 else None)


def _wrap_scrolling(inner: Html) -> Html:
    return html_tag("div", inner, class_="wide")


def _readable_value(text: str) -> str:
    """Return a value as people write it: texts without quotes, numbers short."""
    value = _parse_json(text) if len(text) <= _MOST_PARSED and not text.startswith(("{", "[")) else text
    return format_number(value) if isinstance(value, float) else shorten_text(value or text, _MOST_TEXT)


def _parse_json(text: str) -> str | float:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (str, float)) else text
