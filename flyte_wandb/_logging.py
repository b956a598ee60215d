"""Messages: logged once per process, however often their cause occurs, and in one line."""

import logging
import reprlib
from collections.abc import Collection
from typing import Final

_LOG: Final = logging.getLogger("flyte_wandb")
_said: set[str] = set()
_LONGEST: Final = 200
"""Characters of a text from elsewhere that a message quotes."""


def log_once(message: str, level: int = logging.WARNING) -> None:
    """Log `message`, unless this process has logged the very same one before."""
    if message not in _said:
        _said.add(message)
        _LOG.log(level, message)


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, or its type where it has none.

    >>> one_line(ValueError("a bad\\n  value")), one_line(KeyError())
    ('a bad value', 'KeyError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def quoted(value: object) -> str:
    """Return a value from elsewhere as a message quotes it: in one line, bounded, and nothing in it moves a terminal.

    >>> quoted("a\\x1b[2Jb"), len(quoted("x" * 1000))
    ("'a\\\\x1b[2Jb'", 203)
    """
    if not isinstance(value, str):
        return reprlib.repr(value)
    # `repr` escapes what is not printable: control characters, lone surrogates, marks that turn a line.
    return repr(value[:_LONGEST]) + ("…" if len(value) > _LONGEST else "")


def printable(text: str) -> str:
    """Escape what would move a terminal, end a line or turn it: a text from elsewhere as one line shows it.

    >>> printable("a\\x1b]8;;http://x\\x07b\\n")
    'a\\\\x1b]8;;http://x\\\\x07b\\\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def listed(items: Collection[str], most: int = 3) -> str:
    """Return the first of some texts, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    shown = list(items)[:most]
    rest = len(items) - len(shown)
    return f"{', '.join(shown)} and {rest:,} more" if rest else ", ".join(shown)
