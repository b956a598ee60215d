"""What a run has logged, read from its own log in bounded memory and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...wandb_client._log_values import LogEntry, read_entries, wait_for_end
from ._series import Series

MOST_PLOTS: Final = 40
"""Metrics that get a plot. Of those that come later in the log only the last value is kept."""

MOST_NAMES: Final = 1000
"""Names that are kept of further metrics, of the summary and of the config."""

MOST_BYTES: Final = 32 * 2**20
"""Bytes of the log that are read, for the task waits for them. Of a longer log, stretches are read."""

_INTERNAL: Final = "_"
"""What W&B's own keys start with, such as `_step` and `_runtime`."""

_NO_NUMBER: Final = frozenset('"{[tfn')
"""First characters of JSON values other than numbers: text, object, array, true, false and null."""


@dataclass(slots=True, kw_only=True)
class History:
    """What a log says.

    Attributes:
        series: Metrics by name, in the order in which they were logged first.
        others: The last value of the metrics behind these.
        summary: Values as JSON, by name.
        config: Values as JSON, by name.
        rows: Rows that were read.
        last_step: The step of the last row, or None without rows.
        share: The part of the log that was read, up to 1.
        whole: Whether the log has the end of the run.
    """

    series: dict[str, Series] = field(default_factory=dict)
    others: dict[str, float] = field(default_factory=dict)
    summary: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    last_step: int | None = None
    share: float = 1.0
    whole: bool = False

    def add_entry(self, entry: LogEntry) -> None:
        """Take in what the next record says."""
        if entry.kind == "history":
            self._add_row(entry)
        elif entry.kind == "exit":
            self.whole = True
        else:
            _update_values(self.summary if entry.kind == "summary" else self.config, entry)

    def _add_row(self, entry: LogEntry) -> None:
        self.rows += 1
        self.last_step = entry.step
        for name, text in entry.values:
            # The first letter is enough, and much faster than a parser of JSON: a log may have millions of values.
            if name[:1] != _INTERNAL and text and text[0] not in _NO_NUMBER:
                self._add_value(name, entry.step, float(text))

    def _add_value(self, name: str, step: int, value: float) -> None:
        series = self.series.get(name)
        if series is None:
            if len(self.series) == MOST_PLOTS:
                if len(self.others) < MOST_NAMES or name in self.others:
                    self.others[name] = value
                return
            series = self.series[name] = Series()
        series.add_point(step, value)


def read_history(path: Path, *, most: int = MOST_BYTES) -> History:
    """Read the log of a run that is finished. Blocks.

    Args:
        path: A file ``run-ID.wandb``.
        most: Bytes to read at most, about.

    Raises:
        OSError: It cannot be read.
    """
    # `run.finish()` returns before W&B's service has written the last records.
    wait_for_end(path)
    history = History(share=min(1.0, most / max(1, path.stat().st_size)))
    for entry in read_entries(path, most=most):
        history.add_entry(entry)
    return history


def _update_values(known: dict[str, str], entry: LogEntry) -> None:
    for name, text in entry.values:
        # W&B's record of a key that was removed.
        if text is None:
            known.pop(name, None)
        elif name[:1] != _INTERNAL and (name in known or len(known) < MOST_NAMES):
            known[name] = text
