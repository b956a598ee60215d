"""Write docs/cli.md, the reference of the command line, from the commands themselves.

Run it as ``python -m docs.make_cli``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Final

import click

from flyte_wandb.cli import main

PAGE: Final = Path(__file__).with_name("cli.md")
MORE: Final = {
    "demo": "",
    "plan": "[Links and plans](links-and-plans.md#the-plan-before-the-launch) shows what it prints.",
    "plugins": "[Write a rank scope](write-a-rank-scope.md#the-package) shows what it prints.",
    "download": "[Bring results home](bring-results-home.md#from-a-shell) shows what it prints.",
    "sync": "[Offline runs come home](offline.md#from-a-shell) shows what it prints.",
    "report": "[A tab in Flyte's report](report.md#open-a-local-report) shows how it is used.",
    "server": "[What the double is sure of](double.md#in-a-separate-process) shows how it is used.",
    "doctor": "[Links and plans](links-and-plans.md#before-the-first-run-doctor) shows what it prints.",
}
"""Where each command is used, on another page."""

_INTRO: Final = """\
# Command line

`python -m docs.make_cli` writes this page from the commands themselves.

`flyte-wandb COMMAND` and, below Flyte's own command, `flyte wandb COMMAND` are the same. An error is one line and
exit code 1; `--debug` shows where it comes from. `--help` prints what stands here.
"""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_INTRO, *(_section(name, command) for name, command in main.commands.items())])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"flyte-wandb {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    told = inspect.cleandoc(command.help or "")
    parts = [f"## {name}", f"`{usage}`", told, MORE[name], _options(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _options(command: click.Command) -> str:
    options = [one for one in command.params if isinstance(one, click.Option)]
    rows = [f"| `{_names(one)}` | {one.help}{_default(one)} |" for one in options]
    return "\n".join(["| option | |", "|---|---|", *rows])


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.partition(' ')[0].upper()}"
    return f"{', '.join(option.opts)}{value}"


def _default(option: click.Option) -> str:
    return f" Default: {option.default}." if option.show_default else ""


if __name__ == "__main__":
    PAGE.write_text(page())
