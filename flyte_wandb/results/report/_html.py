"""Building HTML. Everything that is not `Html` already is escaped, so no call can forget it."""

from __future__ import annotations

import html
from typing import Final

_HIDDEN: Final = dict.fromkeys(
    (*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)
"""Control characters that HTML cannot hold, and marks that turn the text behind them around."""


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def html_tag(name: str, *children: str | None, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: Its name.
        children: Its content: HTML as it is, other text escaped, None left out.
        attributes: Its attributes, without those that are None. An underscore stands for a hyphen; one at the end is
            dropped, as in ``class_``.

    >>> html_tag("p", "1 < 2", html_tag("b", "!"), class_="note", aria_label='"')
    '<p class="note" aria-label="&quot;">1 &lt; 2<b>!</b></p>'
    """
    pairs = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    written = "".join(f' {key}="{html.escape(clean_text(str(value)))}"' for key, value in pairs)
    return Html(f"<{name}{written}>{join_html(*children)}</{name}>")


def join_html(*children: str | None) -> Html:
    """Return elements and texts, one after the other.

    >>> join_html("a & b", None, Html("<br>"))
    'a &amp; b<br>'
    """
    texts = (child if isinstance(child, Html) else html.escape(clean_text(child)) for child in children if child)
    return Html("".join(texts))


def clean_text(text: str) -> str:
    """Return a text without what neither HTML nor UTF-8 can hold.

    >>> clean_text("a\\x00b\\ud800")
    'ab?'
    """
    return text.translate(_HIDDEN).encode("utf-8", "replace").decode()


def shorten_text(text: str, most: int) -> str:
    """Return a text of at most `most` characters.

    >>> shorten_text("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
