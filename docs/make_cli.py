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
    "plan": "[Links and plans](links-and-plans.md#the-plan-before-the-launch) shows the output.",
    "plugins": "[Write a rank scope](write-a-rank-scope.md#the-package) shows the output.",
    "new-plugin": "[Write a rank scope](write-a-rank-scope.md#the-package) shows what it writes.",
    "download": "[Bring results home](bring-results-home.md#from-a-shell) shows the output.",
    "sync": "[Offline runs come home](offline.md#from-a-shell) shows the output.",
    "report": "[A tab in Flyte's report](report.md#open-a-local-report) shows how to use it.",
    "server": "[What the double is sure of](double.md#in-a-separate-process) shows how to use it.",
    "doctor": "[Links and plans](links-and-plans.md#before-the-first-run-doctor) shows the output.",
}
"""Where each command is used, on another page."""

_INTRO: Final = """\
# Command line

`python -m docs.make_cli` writes this page from the commands themselves.

You can write each command in three ways: `flyte-wandb COMMAND`, `flyte wandb COMMAND` and
`python -m flyte_wandb COMMAND`.
An error is one line, with exit code 1. `--debug` shows its traceback. `--help` prints what you read here.
"""


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_INTRO, *(_section(name, command) for name, command in main.commands.items())])


def _section(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"flyte-wandb {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    help_text = inspect.cleandoc(command.help or "")
    parts = [f"## {name}", f"`{usage}`", help_text, *_examples(command), MORE[name], _options(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _examples(command: click.Command) -> list[str]:
    lines = getattr(command, "examples", ())
    return [f"```console\n$ {line}\n```" for line in lines]


def _options(command: click.Command) -> str:
    options = [one for one in command.params if isinstance(one, click.Option)]
    rows = [f"| `{_names(one)}` | {one.help}{_default(one)} |" for one in options]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.partition(' ')[0].upper()}"
    return f"{', '.join([*option.opts, *option.secondary_opts])}{value}"


def _default(option: click.Option) -> str:
    return f" Default: {option.default}." if option.show_default else ""


if __name__ == "__main__":
    PAGE.write_text(page())
