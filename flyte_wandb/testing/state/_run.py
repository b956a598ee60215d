"""One run of the double, and how requests change it. What W&B documents of this, and what is judged: docs/double.md.

- Exit code 0 completes a run as "finished". Another code completes it as "failed", as "preempted" if a writer has
  said that its machine is being taken away, or as "killed" if the run was stopped. After 5 minutes of silence it is
  "crashed".
- A row replaces an older one with the same step. In shared mode the server numbers the steps: after the last row, but
  from 0 beside a plain writer, and that writer's rows are lost.
- A plain writer sends its config and its summary whole. Keys of several shared writers merge; the last one wins.
- Who rewinds a run to a step resumes it; the rows after that step are forgotten, and the summary is that of the others.
- A run that an agent has got is "pending" until a writer opens it.
- Who resumes a run sets it to "running" again. So does a plain writer that opens it without resuming: its data stay
  until they are written over. A writer of shared mode that merely joins does not reopen a completed run, and neither do
  late updates.
"""

from __future__ import annotations

import copy
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ._files import File, describe_files
from ._records import Alert, RunRecord, State, Writer, snapshot

_NOT_LOGGED: Final = ("_wandb", "_timestamp", "_runtime")
_CONSOLE_LINE: Final = re.compile(
    r"(?P<level>ERROR )?(?P<timestamp>\d{4}-\d\d-\d\dT[\d:.]+Z?) (?P<text>(?:\[(?P<label>[^\]]*)\] )?.*)", re.DOTALL
)
_SILENCE: Final = 300.0
"""Seconds without a word of a run's writers after which W&B takes the run for crashed."""

_METRIC_LABEL: Final = re.compile(r"/l:(?P<label>.+)")


class RunKey(NamedTuple):
    """What names a run on a server."""

    entity: str
    project: str
    id: str


class Sender(NamedTuple):
    """Which writer sent a request: plain ones have no id and are not told apart. Who has no key is not logged in."""

    client_id: str | None = None
    shared: bool = False
    logged_in: bool = True


@dataclass(slots=True, kw_only=True)
class _Writer:
    sender: Sender
    label: str | None = None
    rows: int = 0
    completed: bool = False
    console: dict[int, str] = field(default_factory=dict)
    summary: frozenset[str] = frozenset()

    def record(self) -> Writer:
        return snapshot(Writer, self, client_id=self.sender.client_id, shared=self.sender.shared)


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
    commit: str | None = None
    repo: str | None = None
    program: str | None = None
    host: str | None = None
    status: State = "pending"
    preempting: bool = False
    stopped: bool = False
    clock: Callable[[], float] = time.time
    created: float = 0.0
    heartbeat: float = 0.0
    exit_code: int | None = None
    trial: Mapping[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    resumed: int = 0
    restarted: int = 0
    overwritten: int = 0
    alerts: list[Alert] = field(default_factory=list)
    quiet_until: dict[str, float] = field(default_factory=dict)  # when an alert of a title is sent again
    _console: dict[int, str] = field(default_factory=dict)
    _beside: int | None = None
    _writers: list[_Writer] = field(default_factory=list)
    _ordered: tuple[list[dict[str, Any]], list[int]] | None = None
    _next_step: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._next_step = max(self.rows, default=-1) + 1

    @property
    def state(self) -> State:
        """How it is, which also depends on the time: silence crashes a run, or ends it as preempted."""
        silent = self.status in ("running", "preempting") and self.clock() - self.heartbeat > _SILENCE
        return self.status if not silent else "crashed" if self.status == "running" else "preempted"

    @property
    def started(self) -> bool:
        """Whether a writer has ever opened it."""
        return bool(self._writers) or self.status != "pending"

    @property
    def writing(self) -> int:
        """How many writers have yet to tell their end."""
        return sum(not writer.completed for writer in self._writers)

    @property
    def console(self) -> list[str]:
        """The lines of console output, unchanged: of plain writers, then of each shared writer."""
        consoles = (self._console, *(writer.console for writer in self._writers))
        return [lines[number] for lines in consoles for number in sorted(lines)]

    def open(self, sender: Sender, *, resumed: bool) -> None:
        """Let a writer in."""
        if not self.started:
            self._run_again()
        elif resumed:
            self.resumed += 1
            self._run_again()
        elif not sender.shared:
            self.restarted += 1
            self._run_again()
        elif self._writers and not self._writers[-1].sender.shared and not self._writers[-1].completed:
            self._beside = 0
        self._writers.append(_Writer(sender=sender))

    def rewind(self, step: int) -> None:
        """Forget the rows of history after a step."""
        self.rows = {number: row for number, row in sorted(self.rows.items()) if number <= step}
        self.summary = {name: value for row in self.rows.values() for name, value in row.items()}
        self._next_step, self._ordered = max(self.rows, default=-1) + 1, None

    def continue_from(self, parent: Run, step: int) -> None:
        """Take over the rows of another run up to a step, which counts."""
        self.rows = dict(parent.rows)
        self.rewind(step)

    def rows_between(self, first: int, last: int | None) -> list[dict[str, Any]]:
        """Return the rows from one step to another, which counts. A page costs its own rows only."""
        if self._ordered is None:
            steps = sorted(self.rows)
            self._ordered = [self.rows[step] for step in steps], steps
        rows, steps = self._ordered
        return rows[bisect_left(steps, first) : None if last is None else bisect_right(steps, last)]

    def describe(self, about: Mapping[str, Any]) -> None:
        """Take over what a writer says about the run, by field; None leaves a field as it is."""
        for name, value in about.items():
            setattr(self, name, getattr(self, name) if value is None else value)

    def set_config(self, sender: Sender, config: dict[str, Any]) -> None:
        """Take over the config of a writer: beside that of other shared writers, else in its place."""
        self.config = {**self.config, **config} if sender.shared else config

    def set_summary(self, sender: Sender, summary: dict[str, Any]) -> None:
        """Take over the summary of a writer, without those keys of a shared one that it no longer sends."""
        if sender.shared:
            writer = self._writer(sender)
            others = {name: value for name, value in self.summary.items() if name not in writer.summary}
            writer.summary, summary = frozenset(summary), {**others, **summary}
        self.summary = summary

    def add_rows(self, sender: Sender, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of history, over those that have the same steps."""
        self._writer(sender).rows += len(rows)
        if sender.shared:
            first = self._next_step if self._beside is None else self._beside
            rows = [{**row, "_step": step} for step, row in enumerate(rows, start=first)]
            self._beside = None if self._beside is None else self._beside + len(rows)
        steps = {int(row["_step"]): row for row in rows}
        self.overwritten += sum(self.rows.get(step, row) != row for step, row in steps.items())
        self.rows.update(steps)
        self._next_step = max(self._next_step, max(steps, default=-1) + 1)
        self._ordered = None

    def add_metrics(self, sender: Sender, line: int, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows of system metrics."""
        first = len(self.metrics) if sender.shared else line
        self.metrics.update(enumerate(rows, start=first))
        names = (_METRIC_LABEL.search(name) for row in rows for name in row)
        self._learn_label(sender, next((found["label"] for found in names if found), None))

    def add_console(self, sender: Sender, line: int, lines: Sequence[str]) -> None:
        """Put console lines at `line` of their writer, over what is there: progress bars rewrite their line."""
        console = self._writer(sender).console if sender.shared else self._console
        console.update(enumerate(lines, start=line))
        self._learn_label(sender, next((entry.label for entry in map(console_line, lines) if entry.timestamp), None))

    def preempt(self) -> None:
        """Take in that the machine of a writer is being taken away."""
        self.preempting = True
        self.status = "preempting" if self.status == "running" else self.status

    def complete(self, sender: Sender, exit_code: int) -> None:
        """End the run."""
        self._writer(sender).completed = True
        self.exit_code = exit_code
        ends: State = "killed" if self.stopped else "preempted" if self.preempting else "failed"
        self.status = "finished" if exit_code == 0 else ends

    def kill(self) -> None:
        """End the run from outside, where it has not ended yet; its writers hear that they are to stop."""
        self.stopped = True
        self.status = "killed" if self.state in ("pending", "running", "preempting") else self.status

    def record(self) -> RunRecord:
        """Return a snapshot that later changes leave alone."""
        return snapshot(
            RunRecord,
            self,
            **self.key._asdict(),
            display_name=self.display_name or self.key.id,
            config=_values(self.config),
            summary=_public(self.summary),
            history=tuple(_logged(row) for row in self.rows_between(0, None)),
            writers=tuple(writer.record() for writer in self._writers),
            console="".join(f"{console_line(line).text}\n" for line in self.console),
            alerts=tuple(self.alerts),
            **describe_files(self.files),
        )

    def _run_again(self) -> None:
        self.stopped = self.stopped and self.status == "running"
        self.status, self.preempting, self.exit_code, self._beside = "running", False, None, None

    def _writer(self, sender: Sender) -> _Writer:
        """Find who sent a request: of plain writers the last one, for only that one still has the run."""
        return next(writer for writer in reversed(self._writers) if writer.sender == sender)

    def _learn_label(self, sender: Sender, label: str | None) -> None:
        if sender.shared and label:
            self._writer(sender).label = label


class ConsoleLine(NamedTuple):
    """A line of console output in its parts."""

    text: str
    timestamp: str | None = None
    level: str = ""
    label: str | None = None


def console_line(sent: str) -> ConsoleLine:
    """Return the parts of a line as the client sends it."""
    match = _CONSOLE_LINE.fullmatch(sent)
    if match is None:
        return ConsoleLine(sent)
    return ConsoleLine(match["text"], match["timestamp"], "error" if match["level"] else "", match["label"])


def _values(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(entry["value"]) for name, entry in config.items() if name != "_wandb"}


def _public(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in summary.items() if not name.startswith("_")}


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in row.items() if name not in _NOT_LOGGED}
