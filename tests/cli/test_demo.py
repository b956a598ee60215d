"""`flyte-wandb demo`, started as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.checkout import SCRIPTS, process_environ


def test_the_demo_lists_every_run_with_a_page_that_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    environ = process_environ(tmp_path, {"COLUMNS": "120"})
    options: dict[str, Any] = {"cwd": tmp_path, "env": environ, "stdout": subprocess.PIPE, "text": True}
    # A shell that starts this suite in the background has it ignore SIGINT, and its children with it.
    with subprocess.Popen(
        [SCRIPTS / "flyte-wandb", "demo", "--serve"],
        **options,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout
        lines = list(takewhile(lambda line: "Ctrl-C ends the demo" not in line, process.stdout))
        check_pages(check_table(lines), lines)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    assert list(tmp_path.glob("wandb*")) == []


def check_table(lines: list[str]) -> list[str]:
    """Check the table of runs, and return their ids."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    outcomes = sorted((group, writers, state, exit_code) for _, group, writers, state, exit_code in rows)
    assert outcomes == [
        *[("", "1", "finished", "0")] * 3,
        ("", "4", "finished", "0"),
        *[("demo-new", "1", "finished", "0")] * 4,
        ("folds", "1", "failed", "1"),
        *[("folds", "1", "finished", "0")] * 2,
    ]
    ids = [row[0] for row in rows]
    assert set(ids) >= {"demo-publish", "demo-auto", "demo-shared", "demo-new-rank-3"}
    return ids


def check_pages(run_ids: list[str], lines: list[str]) -> None:
    pages = [line.split()[1] for line in lines if line.startswith("200 http://127.0.0.1")]
    assert [page.rpartition("/")[2] for page in pages] == run_ids
    for run_id, page in zip(run_ids, pages, strict=True):
        with urllib.request.urlopen(page) as answer:
            assert run_id in answer.read().decode()
