"""Warnings that are said once per process, however often their cause occurs."""

import logging
from typing import Final

_LOG: Final = logging.getLogger("flyte_wandb")
_said: set[str] = set()


def warn_once(message: str) -> None:
    """Log `message` as a warning, unless this process has logged the very same one before."""
    if message not in _said:
        _said.add(message)
        _LOG.warning(message)
