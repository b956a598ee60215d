"""The herd: a small one for real, and the arithmetic of its table."""

from __future__ import annotations

import doctest
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks._herd import drive, report
from benchmarks._herd.cases import Case, list_cases, list_crowds
from benchmarks._herd.drive import Outcome
from benchmarks._herd.report import find_missed, write_cells

ROOT = Path(__file__).parents[2]


def test_examples_hold() -> None:
    assert doctest.testmod(drive) == (0, doctest.testmod(drive).attempted)


def test_a_small_herd_runs_and_its_page_says_that_it_decides_nothing(tmp_path: Path) -> None:
    page = tmp_path / "herd.md"
    command = [sys.executable, "benchmarks/herd.py", "--quick", "--only", "(`new`)", "--markdown", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    title, *_ = page.read_text().splitlines()
    (row,) = [line for line in page.read_text().splitlines() if "(`new`)" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert title == "# A thousand ranks at once (QUICK: too few ranks to decide anything)"
    assert cells[:4] == ["a run of each rank (`new`), 32 ranks", "flyte-wandb", "32 of 32", "0"]
    assert cells[-2].startswith("0 of ")


def outcome(**about: Any) -> Outcome:
    """One that misses nothing: 1,024 ranks, all open after 12 s."""
    usual: dict[str, Any] = {
        "case": Case(what="a case", nodes=128, per_node=8),
        "openers": 1024,
        "opened": 1024,
        "failed": (),
        "last": 12.0,
        "limit": 11.8,
        "requests": 8000,
        "refused": Counter(),
        "project": (300.0, 600.0),
        "run": (0.1, 2.0),
        "logged": 5000,
        "kept": 5000,
        "memory": 100.0,
    }
    return Outcome(**{**usual, **about})


def test_a_row_says_what_came_of_a_case() -> None:
    found = write_cells(outcome(refused=Counter(run_creations=40, file_streams_of_run=8)))
    assert found == [
        "a case, 1,024 ranks",
        "flyte-wandb",
        "1,024 of 1,024",
        "0",
        "40 of 8,000 (0.5%)",
        "8 of 8,000 (0.1%)",
        "12.0 s",
        "11.8 s",
        "300 (most 600)",
        "0.10 (most 2.00)",
        "0 of 5,000",
        "100 MiB",
    ]
    assert len(found) == len(report.COLUMNS)
    assert write_cells(outcome(last=math.nan, limit=0.0))[6:8] == ["-", "-"]


@pytest.mark.parametrize(
    ("about", "missed"),
    [
        ({}, []),
        ({"opened": 1023}, ["a case: 1023 of 1024 opened"]),
        ({"failed": ("rank 3: OpenRunError: no",)}, ["a case: failed: rank 3: OpenRunError: no"]),
        ({"refused": Counter(run_creations=81)}, ["a case: 1.0% of the requests refused"]),
        ({"last": 14.2}, ["a case: last open after 14.2 s"]),
        ({"kept": 4999}, ["a case: 1 rows lost"]),
        ({"kept": 1, "case": Case(what="by hand", nodes=1, per_node=1, by_hand="new")}, []),
    ],
)
def test_what_ours_is_to_hold_and_what_wandb_alone_does_is_only_shown(about: dict[str, Any], missed: list[str]) -> None:
    assert [*find_missed([outcome(**about)])] == missed


def test_the_ranks_that_open_a_run_are_those_of_the_plan() -> None:
    cases = [*list_cases(16, 8, 10), *list_crowds((57,), 57, 300)]
    assert [len(case.openers()) for case in cases] == [1, 16, 128, 128, 128, 128, 10, 10, 57, 57]
