"""A short soak: mixed tasks in one process while the server fails, observers raise and W&B's service is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_SEED: Final = "52"
"""Draws every way to end, every run mode, runs offline and online, a killed service, refused runs, server faults."""


def test_no_run_is_lost_and_none_has_the_rows_of_another_task_while_things_fail(tmp_path: Path) -> None:
    table = tmp_path / "soak.md"
    command = [sys.executable, "benchmarks/soak.py", "--tasks", "40", "--seed", _SEED, "--markdown", str(table)]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert _ours(table, "tasks") == "40"
    assert _ours(table, "W&B's service killed") == "1"


def _ours(table: Path, what: str) -> str:
    cells = [[cell.strip() for cell in line.split("|")] for line in table.read_text().splitlines()]
    return next(row[2] for row in cells if len(row) > 2 and row[1] == what)
