"""The page: two tables, as they are printed and written to a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ._counted import Counted, first_wrong, tally
from ._timed import Timed, ratio_text, spread

_ARMS: Final = ("existing plugin", "flyte-wandb")
_TIMED: Final = ("what", *_ARMS, "flyte-wandb / existing", "n")
_COUNTED: Final = ("right of all", *_ARMS, *(f"first wrong: {arm}" for arm in _ARMS))
_LENGTH: Final = 160
"""Characters of what happened in a wrong case."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that was measured and counted.

    Attributes:
        title: The heading.
        about: Lines on versions, machine and method.
        timed: The timed rows.
        counted: The counted rows.
        failed: What of the timed rows could not be measured, and why.
    """

    title: str
    about: Sequence[str]
    timed: Sequence[Timed]
    counted: Sequence[Counted]
    failed: Sequence[str] = ()

    def __str__(self) -> str:
        return "\n".join(["<!-- printed by `make compare` -->", f"# {self.title}", "", *self._sections(), ""])

    def _sections(self) -> Iterable[str]:
        yield from _listed(self.about)
        if self.timed or self.failed:
            yield from ("", "## Time and memory", "", *_table(_TIMED, map(_timed_cells, self.timed)))
            yield from _notes([row.note for row in self.timed], self.failed)
            yield from _reasons("Slower or larger than the existing plugin", self.timed)
        if self.counted:
            yield from ("", "## What is right", "", *_table(_COUNTED, map(_counted_cells, self.counted)))
            yield from _reasons("Fewer right than with the existing plugin", [_Named(row) for row in self.counted])


@dataclass(frozen=True)
class _Named:
    """A counted row with the names of a timed one."""

    row: Counted

    @property
    def what(self) -> str:
        return self.row.question.what

    @property
    def why(self) -> str:
        return self.row.question.why

    @property
    def worse(self) -> bool:
        return self.row.worse


def _timed_cells(row: Timed) -> tuple[str, ...]:
    return row.what, spread(row.theirs), spread(row.ours), ratio_text(row), str(len(row.ours.values))


def _counted_cells(row: Counted) -> tuple[str, ...]:
    wrong = (shortened(first_wrong(answers)) for answers in (row.theirs, row.ours))
    return row.question.what, tally(row.theirs), tally(row.ours), *wrong


def shortened(text: str) -> str:
    """Cut a text to what a cell of a table holds, and keep it from ending the cell.

    >>> shortened("a | b")
    'a / b'
    """
    line = " ".join(text.replace("|", "/").split())
    return line if len(line) <= _LENGTH else f"{line[: _LENGTH - 1]}…"


def _notes(notes: Iterable[str], failed: Iterable[str]) -> Iterable[str]:
    lines = [*dict.fromkeys(filter(None, notes)), *(f"Not measured: {shortened(one)}" for one in failed)]
    if lines:
        yield from ("", *_listed(lines))


def _reasons(title: str, rows: Iterable[Timed | _Named]) -> Iterable[str]:
    """Say why for every row in which ours is worse."""
    worse = [row for row in rows if row.worse]
    if worse:
        yield from ("", f"{title}:", "", *_listed(f"{row.what}: {row.why or 'no reason is known.'}" for row in worse))


def _listed(lines: Iterable[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield _line(columns)
    yield _line(["---"] * len(columns))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
