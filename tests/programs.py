"""Programs as users run them, in processes of their own: warm ones, where a cold one would be the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from flyte_wandb.testing._container import IMPORTS
from flyte_wandb.testing._warm import WarmProcess, start_warm
from tests.checkout import NO_VARIABLES, process_environ

Process = subprocess.Popen[str] | WarmProcess


def client_environ() -> dict[str, str]:
    """Return the variables of a process with a W&B client of its own, which writes where this process's does."""
    of_wandb = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    of_wandb.pop("WANDB_SERVICE", None)
    return process_environ(Path.cwd(), of_wandb)


def import_path_of(interpreter: Path) -> str:
    """Return a ``PYTHONPATH`` with which any interpreter imports from where another one does, in its order."""
    code = "import os, sys; print(os.pathsep.join(sys.path[1:]))"
    return subprocess.run([interpreter, "-c", code], cwd="/", capture_output=True, text=True, check=True).stdout.strip()


def run_python(
    *words: str,
    folder: Path,
    environ: Mapping[str, str],
    timeout: float = 120.0,
    text: str = "",
    modules: Sequence[str] = IMPORTS,
) -> subprocess.CompletedProcess[str]:
    """Run what Python runs for some arguments, and return how it ended and what it printed.

    Args:
        words: ``-c`` and a program, ``-m`` and a module, or a file; and what follows.
        folder: The folder in which it starts.
        environ: All of its environment.
        timeout: Seconds to wait at most.
        text: What it reads from its input.
        modules: What a warm process has imported. What it starts with Python is warm as well where these are others.
    """
    temporary = tempfile.TemporaryFile
    with temporary("w+") as its_input, temporary("w+") as output, temporary("w+") as errors:
        its_input.write(text)
        its_input.seek(0)
        streams = (its_input.fileno(), output.fileno(), errors.fileno())
        start: dict[str, Any] = {"folder": folder, "environ": environ, "warm_children": modules is not IMPORTS}
        process = start_warm(words, modules=modules, streams=streams, **start)
        if process is None:
            options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": timeout, "input": text}
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


def run_pytest(
    file: str, *, folder: Path, environ: Mapping[str, str] = NO_VARIABLES
) -> subprocess.CompletedProcess[str]:
    """Run a user's tests in a folder, which is the home of the process, as `run_python` does."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", file)
    return run_python(*words, folder=folder, environ=process_environ(folder, environ))


@contextmanager
def running_python(*words: str, folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[Process, TextIO]]:
    """Start what Python runs for some arguments, give the process and its output, and at the end wait for it.

    A block that is left by an error kills it.

    Args:
        words: ``-c`` and a program, ``-m`` and a module, or a file; and what follows.
        folder: The folder in which it starts.
        environ: All of its environment.
    """
    from_it, its_output = os.pipe()
    with os.fdopen(from_it) as output:
        options: dict[str, Any] = {"folder": folder, "environ": environ, "streams": (0, its_output, 2)}
        process = start_warm(words, modules=IMPORTS, **options) or subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environ, stdout=its_output, text=True
        )
        os.close(its_output)
        try:
            yield process, output
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()


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
