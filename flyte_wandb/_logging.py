"""Messages: logged once per process, however often their cause occurs, and in one line."""

import logging
from typing import Final

_LOG: Final = logging.getLogger("flyte_wandb")
_said: set[str] = set()


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
