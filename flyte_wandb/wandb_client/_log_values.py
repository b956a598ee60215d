"""The values in W&B's log of a run: history, summary and config, read a stretch at a time where the log is large."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from ._log_file import BLOCK, LogRecords

_STRETCH: Final = 8 * BLOCK
_PATIENCE: Final = 5.0
_LOOK: Final = 0.02


class LogEntry(NamedTuple):
    """What one record says.

    Attributes:
        kind: Of what it is: a row of the ``history``, a change of ``summary`` or ``config``, or the run's ``exit``.
        values: Names, those inside of others joined by dots, each with its value as JSON; None where it was removed.
        step: The step of a row, 0 or more.
    """

    kind: Literal["history", "summary", "config", "exit"]
    values: Iterable[tuple[str, str | None]] = ()
    step: int = 0


def read_entries(path: Path, *, most: int) -> Iterator[LogEntry]:
    """Yield the entries of a log in order, up to its truncated end if it has one.

    Args:
        path: A file ``run-ID.wandb``.
        most: Bytes to read at most, about. Of a longer log its start, its end and stretches between them are read,
            evenly spread.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        for start, end in choose_stretches(path.stat().st_size, most=most):
            for record in LogRecords(file, start=start, end=end):
                yield from _entries_of_record(record)


def choose_stretches(size: int, *, most: int) -> list[tuple[int, int]]:
    """Return where to read a log of `size` bytes, of which at most about `most` are wanted: starts and ends.

    >>> choose_stretches(1000, most=5000)
    [(0, 1000)]
    >>> [start // 2**18 for start, _ in choose_stretches(100 * 2**18, most=4 * 2**18)]
    [0, 33, 66, 99]
    """
    if size <= most:
        return [(0, size)]
    count, last = max(2, most // _STRETCH), (size - 1) // _STRETCH
    starts = dict.fromkeys(number * last // (count - 1) * _STRETCH for number in range(count))
    return [(start, min(start + _STRETCH, size)) for start in starts]


def wait_for_end(path: Path, *, seconds: float = _PATIENCE) -> bool:
    """Wait until the end of a run that was finished is in its log: W&B finishes a run before that.

    Args:
        path: A file ``run-ID.wandb``.
        seconds: How long at most: the end never comes where W&B's service has died.

    Returns:
        Whether it is there.
    """
    ends = time.monotonic() + seconds
    while not _has_end(path):
        if time.monotonic() > ends:
            return False
        time.sleep(_LOOK)
    return True


def _has_end(path: Path) -> bool:
    start = max(0, path.stat().st_size // BLOCK * BLOCK - _STRETCH)
    with path.open("rb") as file:
        return any(record.WhichOneof("record_type") == "exit" for record in LogRecords(file, start=start))


def _entries_of_record(record: Any) -> Iterator[LogEntry]:
    kind = record.WhichOneof("record_type")
    if kind == "history":
        yield LogEntry("history", _decode_items(record.history.item), record.history.step.num)
    elif kind in ("summary", "config"):
        told = getattr(record, kind)
        yield LogEntry(kind, (*_decode_items(told.update), *((_item_name(item), None) for item in told.remove)))
    elif kind == "run":
        yield LogEntry("config", _decode_items(record.run.config.update))
        yield LogEntry("summary", _decode_items(record.run.summary.update))
    elif kind == "exit":
        yield LogEntry("exit")


def _decode_items(items: Any) -> list[tuple[str, str | None]]:
    return [(_item_name(item), item.value_json) for item in items]


def _item_name(item: Any) -> str:
    return item.key or ".".join(item.nested_key)
