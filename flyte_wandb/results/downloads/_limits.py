"""How many requests a download makes at a time, and how long it tries: variables of the environment."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ..._errors import SettingError
from ..._logging import quoted

AT_ONCE_VARIABLE: Final = "FLYTE_WANDB_DOWNLOAD_AT_ONCE"
PATIENCE_VARIABLE: Final = "FLYTE_WANDB_DOWNLOAD_PATIENCE"
ARTIFACTS_VARIABLE: Final = "FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB"

FIRST_WAIT: Final = 0.5
"""Seconds before the first retry. Each later wait is twice as long."""

LONGEST_WAIT: Final = 60.0
"""Seconds between two tries at most: a server that is back is noticed within a minute."""


MOST_UNANNOUNCED: Final = 5 << 30
"""Bytes of a file of which the server's list does not say how large it is. W&B's own lists always do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """Bounds of a download.

    Attributes:
        at_once: Requests at a time, over all runs of a sweep.
        patience: Seconds for which one request is retried.
        unannounced: Most bytes of a file without an announced size.
        artifacts_gib: GiB of artifacts to download per run if none are named; 0 or more.
    """

    at_once: int = 16
    patience: float = 300.0
    unannounced: int = MOST_UNANNOUNCED
    artifacts_gib: float = 1.0

    @property
    def artifact_bytes(self) -> int:
        """Bytes of artifacts that are fetched of one run where nobody names them."""
        return int(self.artifacts_gib * 2**30)

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait after each failure, growing, for as long as their sum is within the patience.

        >>> list(DownloadLimits(patience=4).waits())
        [0.5, 1.0, 2.0]
        """
        total = 0.0
        for number in itertools.count():
            wait = min(FIRST_WAIT * 2**number, LONGEST_WAIT)
            total += wait
            if total > self.patience:
                return
            yield wait


def read_limits(environ: Mapping[str, str]) -> DownloadLimits:
    """Read the bounds; what is not set is as in `DownloadLimits`.

    Raises:
        SettingError: A variable holds no number in its range.

    >>> read_limits({"FLYTE_WANDB_DOWNLOAD_AT_ONCE": "4"})
    DownloadLimits(at_once=4, patience=300.0, unannounced=5368709120, artifacts_gib=1.0)
    """
    at_once = _read_bound(
        environ, AT_ONCE_VARIABLE, r"[1-9]\d{0,2}", "a number of requests from 1 to 999", DownloadLimits().at_once
    )
    patience = _read_bound(
        environ, PATIENCE_VARIABLE, r"\d{1,6}(\.\d*)?", "seconds, such as 300", DownloadLimits().patience
    )
    artifacts_gib = _read_bound(
        environ, ARTIFACTS_VARIABLE, r"\d{1,6}(\.\d*)?", "a number of GiB, such as 0.5", DownloadLimits().artifacts_gib
    )
    return DownloadLimits(at_once=int(at_once), patience=float(patience), artifacts_gib=float(artifacts_gib))


def _read_bound(environ: Mapping[str, str], variable: str, pattern: str, expected: str, default: float) -> str:
    text = environ.get(variable) or str(default)
    if not re.fullmatch(pattern, text):
        raise SettingError(f"{variable}={quoted(text)}: expected {expected}")
    return text
