"""The comparison's arithmetic and page, with values of our own: no environment is made and nothing is measured."""

from __future__ import annotations

import doctest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _pages
from benchmarks._processes import HERE, Arm
from benchmarks._rows import Declaration
from benchmarks.compare import arms, counting, page
from benchmarks.compare.arms import Arms, list_versions
from benchmarks.compare.counting import Question, count_cases
from benchmarks.compare.page import RIGHT, Compared, compare_answers, compare_times, write_tables

ARMS = Arms(*(Arm(name, Path(name), Path("path")) for name in ("ours", "theirs")))


def timed(theirs: list[float], ours: list[float], **said: Any) -> Compared:
    (row,) = compare_times(
        [Declaration(what="a thing", value="thing.seconds", **said)], {"thing.seconds": (ours, theirs)}
    )
    return row


@pytest.mark.parametrize("module", [counting, page, _pages], ids=lambda module: module.__name__)
def test_examples_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert result.failed == 0


def test_a_row_says_median_range_and_ratio() -> None:
    row = timed([0.1, 0.2, 0.4], [0.04, 0.05, 0.06])
    assert row.cells == ["a thing", "200 ms [100-400]", "50.0 ms [40.0-60.0]", "0.25 x (within the spread)", "3"]


@pytest.mark.parametrize(
    ("ours", "text", "worse"),
    [
        ([0.1, 0.1, 0.1], "1.00 x (within the spread)", False),
        ([0.2, 0.2, 0.2], "2.00 x", True),
        ([0.05, 0.05, 0.05], "0.50 x", False),
        ([0.05, 0.2, 0.9], "2.00 x (within the spread)", False),
    ],
)
def test_worse_is_what_is_beyond_the_spread(ours: list[float], text: str, worse: bool) -> None:
    row = timed([0.1, 0.1, 0.1], ours)
    assert (row.cells[3], row.worse) == (text, worse)


def test_neither_package_is_worse_where_both_run_the_same_code() -> None:
    assert not timed([0.1, 0.1, 0.1], [0.2, 0.2, 0.2], same=True).worse


def test_there_is_no_ratio_to_nothing() -> None:
    assert [timed([value], [0.1]).cells[3] for value in (-0.1, 0.0)] == ["-", "-"]


def test_a_note_names_the_links_of_both() -> None:
    declaration = Declaration(what="links", value="task.seconds", note="theirs {links[1]:,.0f}, ours {links[0]:,.0f}")
    measured = {"task.seconds": ([1.0], [1.0]), "task.links": ([9.0], [1000.0])}
    assert compare_times([declaration], measured)[0].note == "theirs 1,000, ours 9"


def test_the_versions_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "_VERSIONS", ("wandb", "pluggy"))
    expected = f"wandb {version('wandb')}, pluggy {version('pluggy')}"
    assert list_versions(Arms(HERE, HERE)) == expected


def ask(arm: Arm, folder: Path, case: str) -> str:
    if case == "crash":
        raise RuntimeError("Traceback:\n  File x\nValueError: no | more")
    return RIGHT if arm.package == "ours" or case == "a" else f"{case} of {arm.package}"


QUESTION = Question(what="letters", cases=("a", "b", "crash"), ask=ask, why="letters are hard.")


def test_a_case_that_crashes_is_wrong_and_stops_nothing() -> None:
    ticks: list[None] = []
    (row,) = count_cases([QUESTION], ARMS, Path(), lambda: ticks.append(None))
    assert row.cells == ["letters", "1 of 3", "2 of 3", "b: b of theirs", "crash: ValueError: no / more"]
    assert len(ticks) == 6


def test_few_cases_are_the_first_ones() -> None:
    (row,) = count_cases([QUESTION], ARMS, Path(), lambda: None, 2)
    assert row.cells[1:3] == ["1 of 2", "2 of 2"]


def test_the_page_has_both_tables_and_says_why_where_ours_is_worse() -> None:
    slow = timed([0.1], [0.2], why="there is a reason.", note="a note")
    wrong = compare_answers("letters", {"a": "it | is\nred"}, {"a": RIGHT}, "letters are hard.")
    lines = write_tables([slow], ["imports: no"], [wrong]).splitlines()
    assert "| a thing | 100 ms [100-100] | 200 ms [200-200] | 2.00 x | 1 |" in lines
    assert "| letters | 1 of 1 | 0 of 1 | - | a: it / is red |" in lines
    assert "- a thing: there is a reason." in lines
    assert "- letters: letters are hard." in lines
    assert [line for line in lines if line.startswith(("- a n", "- Not"))] == [
        "- a note",
        "- Not measured: imports: no",
    ]


def test_the_page_gives_no_reason_where_ours_is_not_worse() -> None:
    fast = timed([0.2], [0.1], why="there is a reason.")
    right = compare_answers("letters", {"a": RIGHT}, {"a": RIGHT}, "letters are hard.")
    assert not [line for line in write_tables([fast], [], [right]).splitlines() if "reason" in line or "hard" in line]
