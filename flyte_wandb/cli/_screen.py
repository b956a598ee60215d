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
    return Console(highlight=False, emoji=False)


def new_table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """Return an empty table. What is too wide for its column goes on in the next line.

    Args:
        columns: The headings.
        numbers: Those of them whose cells stand on the right.
    """
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold", justify="right" if column in numbers else "left")
    return made


def cell_text(value: Any) -> str:
    """Return a cell's text; None is empty. Square brackets are no markup, and nothing in it moves the terminal."""
    from rich.markup import escape

    return "" if value is None else escape(printable(str(value)))
