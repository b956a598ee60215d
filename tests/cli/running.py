"""Running the command line as a user does: the installed scripts, in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.checkout import NO_VARIABLES, SCRIPTS, process_environ
from tests.programs import run_python

PLACE = {"WANDB_BASE_URL": "https://wandb.example.com", "WANDB_ENTITY": "team", "WANDB_PROJECT": "vision"}


def run(
    *arguments: str,
    folder: Path,
    program: str = "flyte-wandb",
    cwd: Path | None = None,
    environ: Mapping[str, str] = NO_VARIABLES,
) -> subprocess.CompletedProcess[str]:
    """Run a script with `arguments` in `cwd`, or else in `folder`, from which it imports."""
    words = (str(SCRIPTS / program), *arguments)
    return run_python(*words, folder=cwd or folder, environ=process_environ(folder, environ))


def run_in_terminal(
    *arguments: str, folder: Path, environ: Mapping[str, str] = NO_VARIABLES, stream: str = "stdout"
) -> str:
    """Run `flyte-wandb` with a terminal for its output, or for its errors, and return what it wrote there."""
    terminal, output = os.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": "80", **environ}
    command = [str(SCRIPTS / "flyte-wandb"), *arguments]
    streams: Any = {"stdout": subprocess.DEVNULL, stream: output}
    with subprocess.Popen(command, cwd=folder, env=process_environ(folder, variables), **streams) as process:
        os.close(output)
        written = b"".join(iter(lambda: _read(terminal), b""))
    os.close(terminal)
    assert process.returncode == 0
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # Linux's way of saying that nobody has the other end any more
