"""`flyte-wandb server`: the W&B server double in a separate process."""

from __future__ import annotations

import signal
from pathlib import Path
from threading import Event
from typing import Any

import click

from flyte_wandb.testing import WandbServer


def run_server(*, environ_file: str | None, **options: Any) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        environ_file: A file to write the environment variables of its clients to, or None.
        options: Arguments of `WandbServer`.

    Raises:
        OSError: The port is in use, or the file cannot be written.
    """
    ended = Event()
    # By default SIGTERM ends Python on the spot, and nobody would read that the runs are gone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with WandbServer(**options) as server:
        lines = "".join(f"export {name}={value}\n" for name, value in server.environ.items())
        if environ_file is not None:
            Path(environ_file).write_text(lines)
        click.echo(f"A stand-in for W&B's server listens at {server.url}. It is for tests and demos:")
        click.echo("it is not W&B's server, only this machine reaches it, and it keeps nothing when it ends.")
        click.echo(f"Have W&B's client write to it:\n\n{lines}\nPress Ctrl-C to end it.")
        ended.wait()
        count = len(server.runs)
        click.echo(f"Ended. {count} {'run is' if count == 1 else 'runs are'} forgotten.")
