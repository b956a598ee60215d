"""How the commands print: tables for 80 columns, plain without a terminal and coloured with one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from flyte_wandb._logging import printable


def get_console() -> Console:
    """Return the console of standard output, as it is now."""
    # rich would colour numbers in ids, and take ":rocket:" in a tag for a picture.
    return Console(highlight=False, emoji=False)


def new_table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """Return an empty table. What is too wide for its column continues in the next line.

    Args:
        columns: The headings.
        numbers: The headings of columns that are aligned to the right.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return table


def cell_text(value: Any) -> str:
    """Return a cell's text, empty for None. Its square brackets are not markup; nothing in it moves the terminal."""
    from rich.markup import escape

    return "" if value is None else escape(printable(str(value)))
