"""`flyte-wandb doctor`: the preflight, line by line."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table

from flyte_wandb.cli._checks import DoctorOptions, Finding, run_checks
from flyte_wandb.cli._screen import cell_text, get_console

_COLOURS: Final = {"ok": "green", "note": "yellow", "problem": "red"}


def show_findings(asked: DoctorOptions) -> bool:
    """Print what the preflight finds as it finds it, and return whether a run could start.

    Args:
        asked: What to try.
    """
    console = get_console()
    problems = 0
    for finding in run_checks(asked):
        problems += finding.state == "problem"
        _print_finding(console, finding)
    found = f"{problems} problem{'' if problems == 1 else 's'}"
    console.print(
        f"\n[bold red]A run could not start: {found}.[/]" if problems else "\n[bold green]A run can start.[/]"
    )
    return not problems


def _print_finding(console: Console, finding: Finding) -> None:
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(width=len("problem"))
    line.add_column(width=len("configuration"))
    line.add_column(overflow="fold")
    line.add_row(f"[{_COLOURS[finding.state]}]{finding.state}[/]", finding.about, cell_text(finding.said))
    if finding.remedy:
        line.add_row("", "", f"-> {cell_text(finding.remedy)}")
    console.print(line)
