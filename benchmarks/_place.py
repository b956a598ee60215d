"""Programs in processes of their own: those of `programs`, each in a folder and with an environment of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ._session import isolated

ROOT: Final = Path(__file__).resolve().parents[1]
TIMEOUT: Final = 150.0
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An environment in which programs run.

    Attributes:
        package: The package that is measured.
        python: The interpreter.
        path: The folder from which its processes import the programs.
    """

    package: str
    python: Path
    path: Path


HERE: Final = Arm(package="flyte_wandb", python=Path(sys.executable), path=ROOT)
"""This environment."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder of its own in which an arm does one thing.

    Attributes:
        arm: The arm.
        folder: The folder.
        environ: The whole environment of its processes; of ours they see only PATH.
    """

    arm: Arm
    folder: Path
    environ: Mapping[str, str]

    def program(self, target: str, *arguments: object, timeout: float = TIMEOUT) -> Any:
        """Run a function of `programs` in a fresh process and return what it returns, as JSON has it.

        Args:
            target: Such as ``crowd.measure``. Those of `starts` run in this environment, and start the arm's processes.
            arguments: Its arguments, which it gets as text.
            timeout: Seconds after which it is killed.

        Raises:
            RuntimeError: It fails, or takes too long.
        """
        python, environ = self.arm.python, {**self.environ, "COMPARED": self.arm.package}
        if target.startswith("starts."):
            python, environ = HERE.python, {**self.environ, "STARTED_PACKAGE": self.arm.package}
        command = [str(python), "-m", "benchmarks._program", target, *map(str, arguments)]
        options: dict[str, Any] = {"cwd": self.folder, "env": environ, "timeout": timeout}
        try:
            done = subprocess.run(command, capture_output=True, text=True, **options)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it did not end within {timeout:.0f} s") from None
        (self.folder / "log").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def measure(self, target: str, *arguments: object) -> list[dict[str, Any]]:
        """Run a program that returns one reading or a list of them; `process` is the time of the whole process."""
        started = time.perf_counter()
        found = self.program(target, *arguments, timeout=1_000)
        process = time.perf_counter() - started
        return [{**reading, "process": process} for reading in (found if isinstance(found, list) else [found])]


def open_place(arm: Arm, folder: Path, server: Mapping[str, str] | None = None, **environ: str) -> Place:
    """Make a place below a folder.

    Args:
        arm: The arm.
        folder: The folder.
        server: The variables of a server, where its processes write to one.
        environ: More environment variables; an empty one is left out.
    """
    own = folder / f"place-{next(_numbers)}"
    own.mkdir()
    every = {
        **isolated(own),
        **{"PATH": os.environ["PATH"], "PYTHONPATH": str(arm.path), "ARM_PYTHON": str(arm.python)},
        **({**server, "WANDB_MODE": "online"} if server else {}),
        **{"FLYTE_ATTEMPT_NUMBER": "0", **environ},
    }
    return Place(arm=arm, folder=own, environ={name: text for name, text in every.items() if text})
