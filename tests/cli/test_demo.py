"""`flyte-wandb demo`, started as a user starts it."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from tests.checkout import SCRIPTS, process_environ
from tests.distributions import install

OWN: Final = {
    "WANDB_BASE_URL": "http://127.0.0.1:9",
    "WANDB_ENTITY": "nobody",
    "WANDB_MODE": "disabled",
    "WANDB_PROJECT": "own",
    "WANDB_RUN_ID": "own",
    "FLYTE_WANDB_ON_ERROR": "no such choice",
    "FLYTE_WANDB_DISABLE_PLUGINS": "broken-names",
}
"""What a user may have set, of which only the last counts in the demo."""


def test_the_demo_lists_every_run_with_a_page_that_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    install(tmp_path, "broken-names", "raise ImportError('no GPU')")
    environ = process_environ(tmp_path, {"COLUMNS": "80", **OWN})
    options: dict[str, Any] = {"cwd": tmp_path, "env": environ, "stdout": subprocess.PIPE, "text": True}
    # A shell that starts this suite in the background has it ignore SIGINT, and its children with it.
    with subprocess.Popen(
        [SCRIPTS / "flyte-wandb", "demo", "--serve"],
        **options,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout
        try:
            lines = list(takewhile(lambda line: "Press Ctrl-C to end the demo" not in line, process.stdout))
            check_proofs(lines)
            check_pages(check_table(lines), lines)
        finally:
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


def check_proofs(lines: list[str]) -> None:
    start = lines.index("What you have just seen, on this machine and without an account:\n") + 1
    assert [line.rstrip() for line in lines[start : start + 4]] == [
        "✓ child tasks: 3 separate runs in a group, 1 failed as its task did",
        "✓ 4 ranks on 2 nodes, by run_mode: auto 1 run, shared 1 run, new 4 runs",
        "✓ 4 ranks wrote to one run under 'shared'",
        "✓ 11 of 11 runs have a page where their link leads",
    ]


def check_pages(run_ids: list[str], lines: list[str]) -> None:
    pages = [line.strip() for line in lines if line.startswith("http://127.0.0.1")]
    assert [page.rpartition("/")[2] for page in pages] == run_ids
    for run_id, page in zip(run_ids, pages, strict=True):
        with urllib.request.urlopen(page) as answer:
            assert run_id in answer.read().decode()
