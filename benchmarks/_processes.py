"""Programs in processes of their own: those of `programs`, each in a folder and with an environment of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ._session import isolated

ROOT: Final = Path(__file__).resolve().parents[1]
TIMEOUT: Final = 150.0
_numbers = itertools.count()


class Arm(NamedTuple):
    """What is measured: a package, an interpreter that has it, and a folder from which that imports the programs."""

    package: str
    python: Path
    path: Path


HERE: Final = Arm("flyte_wandb", Path(sys.executable), ROOT)
"""This environment."""


def make_folder(folder: Path) -> Path:
    """Make a folder below a folder, for one process."""
    own = folder / f"own-{next(_numbers)}"
    own.mkdir()
    return own


def run_program(
    arm: Arm,
    folder: Path,
    target: str,
    *arguments: object,
    server: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    **environ: str,
) -> Any:
    """Run a function of `programs` in a fresh process and return what it returns, as JSON has it.

    Args:
        arm: The arm. Programs of `starts` run in this environment, and start processes of the arm.
        folder: Where it runs. Of this process's variables it sees only PATH.
        target: Such as ``crowd.measure``.
        arguments: Its arguments, which it gets as text.
        server: The variables of a server, where it writes to one.
        timeout: Seconds after which it is killed.
        environ: More environment variables; an empty one is left out.

    Raises:
        RuntimeError: It fails, or takes too long.
    """
    here = target.startswith("starts.")
    every = {
        **isolated(folder),
        **{"PATH": os.environ["PATH"], "PYTHONPATH": str(arm.path), "ARM_PYTHON": str(arm.python)},
        **{"ARM_PACKAGE": arm.package, "COMPARED": HERE.package if here else arm.package},
        **({**server, "WANDB_MODE": "online"} if server else {}),
        **{"FLYTE_ATTEMPT_NUMBER": "0", **environ},
    }
    python = HERE.python if here else arm.python
    command = [str(python), "-m", "benchmarks._program", target, *map(str, arguments)]
    variables = {name: text for name, text in every.items() if text}
    try:
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it did not end within {timeout:.0f} s") from None
    (folder / "log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def measure_program(arm: Arm, folder: Path, target: str, *arguments: object, **options: Any) -> list[dict[str, Any]]:
    """Run a program that returns one reading or a list of them; `process` is the time of the whole process."""
    own, started = make_folder(folder), time.perf_counter()
    found = run_program(arm, own, target, *arguments, timeout=1_000, **options)
    process = time.perf_counter() - started
    return [{**reading, "process": process} for reading in (found if isinstance(found, list) else [found])]
