"""`flyte-wandb doctor`: the preflight, line by line."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from flyte_wandb._logging import count_noun
from flyte_wandb.cli._checks import DoctorOptions, Finding, run_checks
from flyte_wandb.cli._screen import cell_text, get_console

_COLOURS: Final = {"ok": "green", "note": "yellow", "problem": "red"}


def show_findings(options: DoctorOptions) -> bool:
    """Print each finding of the preflight when it is there, and return whether a run could start.

    Args:
        options: What to try.
    """
    console = get_console()
    problems = 0
    for finding in run_checks(options):
        problems += finding.state == "problem"
        _print_finding(console, finding)
    if problems:
        console.print(f"\n[bold red]A run could not start: {count_noun(problems, 'problem')}.[/]")
    else:
        console.print("\n[bold green]A run can start.[/]")
    return not problems


def _print_finding(console: Console, finding: Finding) -> None:
    # A table of one row, because the next finding may take seconds; the widths keep the columns of all rows in line.
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=len("problem"))
    line.add_column(width=len("configuration"))
    line.add_column(overflow="fold")
    line.add_row(f"[{_COLOURS[finding.state]}]{finding.state}[/]", finding.about, cell_text(finding.message))
    if finding.remedy:
        line.add_row("", "", f"-> {cell_text(finding.remedy)}")
    console.print(line)
