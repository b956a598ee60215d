"""`flyte-wandb demo`, started as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

COMMAND = [str(Path(sys.executable).with_name("flyte-wandb")), "demo"]


def environ(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "120"}


def test_the_demo_lists_every_run_with_its_state_and_a_page_that_exists(tmp_path: Path) -> None:
    result = subprocess.run(COMMAND, cwd=tmp_path, env=environ(tmp_path), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    outcomes = sorted((group, writers, state, exit_code) for _, group, writers, state, exit_code in rows)
    assert outcomes == [
        *[("", "1", "finished", "0")] * 3,
        ("", "4", "finished", "0"),
        *[("demo-new", "1", "finished", "0")] * 4,
        ("folds", "1", "failed", "1"),
        *[("folds", "1", "finished", "0")] * 2,
    ]
    assert {row[0] for row in rows} >= {"demo-publish", "demo-auto", "demo-shared", "demo-new-rank-3"}
    pages = [line for line in result.stdout.splitlines() if line.startswith("200 http://127.0.0.1")]
    assert [page.rpartition("/")[2] for page in pages] == [row[0] for row in rows]
    assert list(tmp_path.glob("wandb*")) == []


def test_serve_keeps_the_pages_up_until_interrupted(tmp_path: Path) -> None:
    command = [*COMMAND, "--serve"]
    options: dict[str, Any] = {"cwd": tmp_path, "env": environ(tmp_path), "stdout": subprocess.PIPE, "text": True}
    # A shell that starts this suite in the background has it ignore SIGINT, and its children with it.
    with subprocess.Popen(
        command, **options, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        page = next(line for line in lines if line.startswith("200 ")).split()[1]
        assert next(line for line in lines if "Ctrl-C ends the demo" in line)
        with urllib.request.urlopen(page) as answer:
            assert page.rpartition("/")[2] in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
