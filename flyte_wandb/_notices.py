"""Messages that are logged once per process, however often their cause occurs."""

import logging
from typing import Final

_LOG: Final = logging.getLogger("flyte_wandb")
_said: set[str] = set()


def say_once(message: str, level: int = logging.WARNING) -> None:
    """Log `message`, unless this process has logged the very same one before."""
    if message not in _said:
        _said.add(message)
        _LOG.log(level, message)
