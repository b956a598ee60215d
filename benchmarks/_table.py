"""Showing rows: as a table on the terminal and as a section of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

from rich.console import Console
from rich.table import Table

from ._machine import Heading
from ._rows import Row

COLUMNS: Final = ("what", "ours", "baseline", "result", "limit", "n", "ok?")
_VERDICTS: Final = {True: "yes", False: "NO", None: "-"}


def show(heading: Heading, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> None:
    """Print the table; at least as wide as it needs to be where no terminal sets a width."""
    console = Console()
    wide = console if console.is_terminal else Console(width=190)
    wide.print(f"[bold]{heading.title}[/bold]")
    wide.print(_table(rows, columns))
    for note in heading.notes:
        wide.print(note, highlight=False)


def markdown(heading: Heading, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Return the section that `show` prints."""
    lines = [_line(columns), _line(("---",) * len(columns)), *(_line(_cells(row)) for row in rows)]
    notes = [f"- {note}" for note in heading.notes]
    return "\n".join([f"## {heading.title}", "", *lines, "", *notes, ""])


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    table = Table(*columns)
    for row in rows:
        table.add_row(*_cells(row), style="red" if row.ok is False else None)
    return table


def _cells(row: Row) -> tuple[str, ...]:
    *cells, ok = astuple(row)
    return (*map(str, cells), _VERDICTS[ok])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
