"""Commands with examples in their help. Their errors are one line; `--debug` shows the traceback."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

import click
from click.exceptions import Exit
from rich_click import RichCommand

from flyte_wandb._logging import one_line


class OneLineErrors(RichCommand):
    """A command with `--debug`, without which an exception is one line and exit code 1.

    Args:
        arguments: Those of `RichCommand`.
        examples: Command lines that `--help` shows at its end.
        options: Those of `RichCommand`.

    Attributes:
        examples: See above.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **options: Any) -> None:
        # rich-click makes one line of what no empty line separates.
        epilog = "\n\n".join(["Examples:", *examples]) if examples else None
        super().__init__(*arguments, epilog=epilog, **options)
        self.examples = tuple(examples)
        self.params.append(click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and print an error in one line."""
        debug = ctx.params.pop("debug")
        try:
            return super().invoke(ctx)
        except (Exit, click.Abort, click.UsageError, BrokenPipeError):
            # click's own, which it shows with the usage; a broken pipe is a reader such as `head` that has enough.
            raise
        except Exception as error:
            if debug:
                traceback.print_exc()
            click.echo(f"Error: {one_line(error)}", err=True)
            ctx.exit(1)
