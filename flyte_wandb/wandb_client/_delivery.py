"""What W&B has acknowledged of a run that was finished online.

W&B's `finish` says nothing of rows that a server did not take: a proxy that answers 200 with its login page, or a key
that is refused while a run logs, ends with "synced". W&B's service writes to its own log which rows it has sent and
what was answered (`filestream:`, wandb 0.29 to 0.31), so asking costs reading that file, and no request.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._log_file import read_log
from ._log_values import wait_for_end
from ._run import run_settings

if TYPE_CHECKING:
    import wandb

Stretch = tuple[int, int]
"""Rows of a log that follow each other: the number of the first, from 0, and how many."""

_ABOUT: Final = b'"msg":"filestream: '
_SENDING: Final = "filestream: sending request"
_ANSWERED: Final = "filestream: request sent"
_MISREAD: Final = "filestream: json decode error"
"""The answer was not JSON, so it was not from W&B. Follows the line that says that the request was answered."""


_END_SECONDS: Final = 2.0
"""How long the end of a log may take to reach the disk, twice what W&B's service flushes it in. After SIGTERM there is
little time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What W&B has not acknowledged of a run.

    Attributes:
        rows: Rows in the log on the disk.
        delivered: Those of them that W&B has acknowledged.
    """

    rows: int
    delivered: tuple[Stretch, ...]

    @property
    def missing(self) -> int:
        """How many rows W&B has not acknowledged; 0 where only the run's end is missing."""
        return max(0, self.rows - count_rows(self.delivered))


@dataclass(slots=True, kw_only=True)
class _Request:
    """One request with rows, as W&B's service has logged it."""

    first: int
    rows: int
    ends_run: bool
    acknowledged: bool = False


def count_rows(stretches: Iterable[Stretch]) -> int:
    """Return how many rows stretches have together.

    >>> count_rows([(0, 3), (7, 2)])
    5
    """
    return sum(count for _, count in stretches)


def group_rows(numbers: Iterable[int]) -> Iterator[Stretch]:
    """Yield the stretches of some rows, which are in their order.

    >>> list(group_rows([0, 1, 2, 7, 8]))
    [(0, 3), (7, 2)]
    """
    for _, group in itertools.groupby(enumerate(numbers), key=lambda row: row[1] - row[0]):
        rows = [number for _, number in group]
        yield rows[0], len(rows)


def find_shortfall(run: wandb.Run) -> Shortfall | None:
    """Return what W&B has not acknowledged of a run that was finished, or None where it has all. Asks no server.

    Raises:
        OSError: The logs cannot be read.
    """
    if run.offline or run.disabled:
        return None
    settings = run_settings(run)
    try:
        lines = Path(settings.log_internal).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return None
    if not lines or not lines[-1].endswith(b"\n"):  # the disk is full: what is missing here may have arrived
        return None
    requests = list(_read_requests(lines))
    # Of several writers of one run, only the owner tells its end.
    tells_end = settings.x_update_finish_state
    ended = any(request.ends_run and request.acknowledged for request in requests) or not tells_end
    if ended and all(request.acknowledged for request in requests):
        return None
    path = Path(settings.sync_file)
    wait_for_end(path, seconds=_END_SECONDS)
    return Shortfall(rows=read_log(path).rows, delivered=tuple(_delivered(requests)))


def _read_requests(log: Iterable[bytes]) -> Iterator[_Request]:
    """Yield the requests of a run in their order: W&B's service sends the next one when the last one is answered."""
    request: _Request | None = None
    for line in log:
        if _ABOUT not in line:
            continue
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:  # a line that two processes have written at once
            continue
        if entry["msg"] == _SENDING:
            if request:
                yield request
            request = _Request(
                first=entry.get("history_offset", 0),
                rows=entry.get("history_lines", 0),
                ends_run=entry.get("complete", False),
            )
        elif request and entry["msg"] == _ANSWERED:
            request.acknowledged = str(entry.get("status")).startswith("2")
        elif request and entry["msg"].startswith(_MISREAD):
            request.acknowledged = False
    if request:
        yield request


def _delivered(requests: Iterable[_Request]) -> Iterator[Stretch]:
    """Yield the rows that were acknowledged, counted from this log's first: W&B counts from the run's first."""
    start: int | None = None
    first, count = 0, 0
    for request in requests:
        if not request.rows:
            continue
        start = request.first if start is None else start
        if not request.acknowledged:
            continue
        if count and first + count != request.first - start:
            yield first, count
            count = 0
        first = first if count else request.first - start
        count += request.rows
    if count:
        yield first, count
