"""Messages: logged once per process, however often their cause occurs, and in one line."""

import logging
import re
import reprlib
from collections.abc import Collection
from typing import Final

_LOG: Final = logging.getLogger("flyte_wandb")
# No lock: two threads that log one message at the same moment log it twice, which harms nobody.
_logged: set[str] = set()
_USERINFO: Final = re.compile(r"(\w://)[^/?#\s]*@")
_LONGEST: Final = 200
"""Characters of a text from elsewhere that a message quotes."""


class _PrintableMessages(logging.Filter):
    """Escapes what is logged: it has names from servers, storages and plugins, and is read in terminals."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), ()
        return True


_LOG.addFilter(_PrintableMessages())


def log_once(message: str, level: int = logging.WARNING) -> None:
    """Log `message`, unless this process has logged the very same one before."""
    if message not in _logged:
        _logged.add(message)
        _LOG.log(level, message)


def one_line(error: BaseException, most: int = 2000) -> str:
    """Return the message of an error in one line, or its type if the message is empty.

    Args:
        error: The error. W&B's client quotes whole answers of a server in its own.
        most: Characters of it; of a longer one, the start and the end are kept, where the advice is.

    >>> one_line(ValueError("a bad\\n  value")), one_line(KeyError())
    ('a bad value', 'KeyError')
    >>> one_line(ValueError("it answered <html>...</html>, so look"), most=24)
    'it answered <html>[…]o look'
    """
    text = " ".join(str(error).split())
    if len(text) > most:
        text = f"{text[: most * 3 // 4]}[…]{text[len(text) - most // 4 :]}"
    return printable(text) or type(error).__name__


def quoted(value: object) -> str:
    """Return a value from elsewhere as a message quotes it: in one line, bounded, and nothing in it moves a terminal.

    >>> quoted("a\\x1b[2Jb"), len(quoted("x" * 1000))
    ("'a\\\\x1b[2Jb'", 203)
    """
    if not isinstance(value, str):
        # Bounded at every depth, where `repr` of a nested value from a server could fill the log.
        return reprlib.repr(value)
    # `repr` escapes what is not printable: control characters, lone surrogates, marks that turn a line.
    return repr(value[:_LONGEST]) + ("…" if len(value) > _LONGEST else "")


def printable(text: str) -> str:
    """Return a text from elsewhere as one line shows it: what would move a terminal, end or turn the line is escaped.

    Keys in addresses are masked.

    >>> printable("http://me:secret@wandb.example.com answers")
    'http://***@wandb.example.com answers'
    >>> printable("a\\x1b]8;;http://x\\x07b\\n")
    'a\\\\x1b]8;;http://x\\\\x07b\\\\n'
    """
    text = mask_userinfo(text)
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def mask_userinfo(text: str) -> str:
    """Mask the users and keys in the addresses of a text.

    >>> mask_userinfo("host='http://me:secret@wandb.example.com'")
    "host='http://***@wandb.example.com'"
    """
    return _USERINFO.sub(r"\1***@", text)


def count_noun(number: int, noun: str) -> str:
    """Return a number of things.

    >>> count_noun(1, "row"), count_noun(1000, "row")
    ('1 row', '1,000 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def suggest_name(name: str, known: Collection[str]) -> str:
    """Return a question with the known name that is most like a misspelt one; empty if no name is like it.

    >>> suggest_name("projct", ["entity", "project"]), suggest_name("xyz", ["entity", "project"])
    ('; did you mean project?', '')
    """
    import difflib  # only where somebody has misspelt a name: `import flyte_wandb` does without

    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def listed(items: Collection[str], most: int = 3) -> str:
    """Return the first of some texts, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    first = list(items)[:most]
    rest = len(items) - len(first)
    return f"{', '.join(first)} and {rest:,} more" if rest else ", ".join(first)
