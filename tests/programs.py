"""Programs as users run them, in processes of their own: warm ones, where a cold one would be the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from flyte_wandb.testing._container import IMPORTS
from flyte_wandb.testing._warm import start_warm


def run_python(
    *words: str, folder: Path, environ: Mapping[str, str], timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run what Python runs for some arguments, and return how it ended and what it printed.

    Args:
        words: ``-c`` and a program, ``-m`` and a module, or a file; and what follows.
        folder: The folder in which it starts.
        environ: All of its environment.
        timeout: Seconds to wait at most.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        streams = (0, output.fileno(), errors.fileno())
        process = start_warm(words, modules=IMPORTS, folder=folder, environ=environ, streams=streams)
        if process is None:
            options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": timeout}
            return subprocess.run([sys.executable, *words], cwd=folder, env=environ, **options)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(process.args, code, output.read(), errors.read())


@contextmanager
def python_to_talk_to(*words: str, environ: Mapping[str, str]) -> Iterator[tuple[TextIO, TextIO]]:
    """Start what Python runs for some arguments, give its input and output, and at the end of the block wait for it.

    Args:
        words: ``-c`` and a program, ``-m`` and a module, or a file; and what follows.
        environ: All of its environment.
    """
    (its_input, to_it), (from_it, its_output) = os.pipe(), os.pipe()
    with os.fdopen(to_it, "w") as questions, os.fdopen(from_it) as answers:
        streams = (its_input, its_output, 2)
        options: dict[str, Any] = {"environ": environ, "folder": Path.cwd(), "modules": IMPORTS}
        process = start_warm(words, streams=streams, **options) or subprocess.Popen(
            [sys.executable, *words], env=environ, stdin=its_input, stdout=its_output
        )
        os.close(its_input)
        os.close(its_output)
        try:
            yield questions, answers
        finally:
            questions.close()
            answers.read()
            process.wait()
