"""One run of the double, and how requests change it: our reading of what W&B does, for its server is not public.

- Exit code 0 completes a run as "finished", another as "failed", or as "preempted" where a writer said before that its
  machine is being taken away.
- The rows of a plain writer go to the lines that it names. In shared mode the server numbers lines and steps itself.
- Keys of the config and of the summary merge; the last writer wins.
- Who rewinds a run to a step resumes it, and the rows after that step are forgotten.
- A run that an agent was given is "pending" until a writer opens it.
- Who resumes a run sets it to "running" again and keeps its data; a plain writer that opens it without resuming starts
  it over. A writer of shared mode that merely joins does not reopen a completed run, and neither do late updates.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ._records import RunRecord, State, Writer

_NOT_LOGGED: Final = ("_wandb", "_timestamp", "_runtime")
_CONSOLE_LINE: Final = re.compile(
    r"(?:ERROR )?\d{4}-\d\d-\d\dT[\d:.]+Z? (?P<text>(?:\[(?P<label>[^\]]*)\] )?.*)", re.DOTALL
)
_METRIC_LABEL: Final = re.compile(r"/l:(?P<label>.+)")


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is kept.

    Attributes:
        content: The bytes.
        md5: Their MD5 digest in base64, as W&B tells it.
    """

    content: bytes
    md5: str

    @classmethod
    def of(cls, content: bytes) -> File:
        """Return a file with the content."""
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        return cls(content, base64.b64encode(digest).decode())


class RunKey(NamedTuple):
    """What names a run on a server."""

    entity: str
    project: str
    id: str


class Sender(NamedTuple):
    """Which writer sent a request: plain ones have no id and are not told apart."""

    client_id: str | None = None
    shared: bool = False


@dataclass(slots=True, kw_only=True)
class _Writer:
    sender: Sender
    label: str | None = None
    rows: int = 0
    completed: bool = False
    console: dict[int, str] = field(default_factory=dict)

    def record(self) -> Writer:
        client_id, shared = self.sender
        return Writer(client_id=client_id, shared=shared, label=self.label, rows=self.rows, completed=self.completed)


@dataclass(slots=True, kw_only=True)
class Run:
    """The state of one run. Not thread-safe; the store's lock guards it."""

    key: RunKey
    url: str
    display_name: str | None = None
    group: str | None = None
    sweep: str | None = None
    job_type: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    state: State = "pending"
    preempting: bool = False
    stopped: bool = False
    exit_code: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    resumed: int = 0
    restarted: int = 0
    _writers: list[_Writer] = field(default_factory=list)
    _ordered: tuple[list[dict[str, Any]], list[int] | None] | None = None

    @property
    def next_line(self) -> int:
        """The line after the last row of history."""
        return max(self.rows, default=-1) + 1

    @property
    def console_lines(self) -> int:
        """How many lines of console output there are."""
        return sum(len(writer.console) for writer in self._writers)

    def open(self, sender: Sender, *, resumed: bool) -> None:
        """Let a writer in."""
        self._writers.append(_Writer(sender=sender))
        if self.state == "pending":
            self.state = "running"
        elif resumed:
            self.resumed += 1
            self._run_again()
        elif not sender.shared:
            self.restarted += 1
            self._start_over()

    def rewind(self, step: int) -> None:
        """Forget the rows of history after a step."""
        kept = [row for _, row in sorted(self.rows.items()) if int(row.get("_step", -1)) <= step]
        self.rows = dict(enumerate(kept))
        self._ordered = None

    def rows_between(self, first: int, last: int | None) -> list[dict[str, Any]]:
        """Return the rows from one step to another, which counts, by line. A page costs its own rows only."""
        rows, steps = self._rows_in_order()
        if steps is None:
            return [row for row in rows if first <= row["_step"] and (last is None or row["_step"] <= last)]
        return rows[bisect_left(steps, first) : None if last is None else bisect_right(steps, last)]

    def _rows_in_order(self) -> tuple[list[dict[str, Any]], list[int] | None]:
        """Return the rows by line, and their steps unless these go back somewhere."""
        if self._ordered is None:
            rows = [self.rows[line] for line in sorted(self.rows)]
            steps = [row["_step"] for row in rows]
            self._ordered = rows, steps if steps == sorted(steps) else None
        return self._ordered

    def describe(
        self,
        *,
        display_name: str | None,
        group: str | None,
        sweep: str | None,
        job_type: str | None,
        tags: Sequence[str] | None,
        notes: str | None,
    ) -> None:
        """Take over what a writer says about the run; None leaves a field as it is."""
        self.display_name = display_name or self.display_name
        self.group = group or self.group
        self.sweep = sweep or self.sweep
        self.job_type = job_type or self.job_type
        self.tags = self.tags if tags is None else tuple(tags)
        self.notes = notes or self.notes

    def add_rows(self, sender: Sender, line: int, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of history; a plain writer's first one goes to the line `line`, over what is there."""
        self._writer(sender).rows += len(rows)
        if sender.shared:
            line = self.next_line
            rows = [{**row, "_step": step} for step, row in enumerate(rows, start=self._next_step())]
        self.rows.update(enumerate(rows, start=line))
        self._ordered = None

    def add_metrics(self, sender: Sender, line: int, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of system metrics."""
        first = len(self.metrics) if sender.shared else line
        self.metrics.update(enumerate(rows, start=first))
        names = (_METRIC_LABEL.search(name) for row in rows for name in row)
        self._learn_label(sender, next((found["label"] for found in names if found), None))

    def add_console(self, sender: Sender, line: int, lines: Sequence[str]) -> None:
        """Put console lines at `line` of their writer, over what is there: progress bars rewrite their line."""
        matches = [_CONSOLE_LINE.fullmatch(text) for text in lines]
        texts = [match["text"] if match else text for match, text in zip(matches, lines, strict=True)]
        self._writer(sender).console.update(enumerate(texts, start=line))
        self._learn_label(sender, next((match["label"] for match in matches if match), None))

    def complete(self, sender: Sender, exit_code: int) -> None:
        """End the run."""
        self._writer(sender).completed = True
        self.exit_code = exit_code
        self.state = "finished" if exit_code == 0 else "preempted" if self.preempting else "failed"

    def record(self) -> RunRecord:
        """Return a snapshot that later changes leave alone."""
        return RunRecord(
            **self.key._asdict(),
            display_name=self.display_name or self.key.id,
            group=self.group,
            sweep=self.sweep,
            job_type=self.job_type,
            tags=self.tags,
            notes=self.notes,
            state=self.state,
            preempting=self.preempting,
            exit_code=self.exit_code,
            config=_values(self.config),
            summary=_public(self.summary),
            history=tuple(_logged(self.rows[line]) for line in sorted(self.rows)),
            writers=tuple(writer.record() for writer in self._writers),
            resumed=self.resumed,
            restarted=self.restarted,
            console="".join(f"{writer.console[line]}\n" for writer in self._writers for line in sorted(writer.console)),
            files={name: file.content for name, file in self.files.items()},
            url=self.url,
        )

    def _run_again(self) -> None:
        self.stopped = self.stopped and self.state == "running"
        self.state, self.preempting, self.exit_code = "running", False, None

    def _start_over(self) -> None:
        self._run_again()
        self.rows.clear()
        self._ordered = None
        self.metrics.clear()
        self.summary.clear()
        for writer in self._writers:
            writer.console.clear()

    def _next_step(self) -> int:
        return max((int(row.get("_step", -1)) for row in self.rows.values()), default=-1) + 1

    def _writer(self, sender: Sender) -> _Writer:
        """Find who sent a request: of plain writers the last one, for only that one still has the run."""
        return next(writer for writer in reversed(self._writers) if writer.sender == sender)

    def _learn_label(self, sender: Sender, label: str | None) -> None:
        if sender.shared and label:
            self._writer(sender).label = label


def _values(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(entry["value"]) for name, entry in config.items() if name != "_wandb"}


def _public(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in summary.items() if not name.startswith("_")}


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in row.items() if name not in _NOT_LOGGED}
