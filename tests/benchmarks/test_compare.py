"""The comparison's arithmetic and page, with values of our own: no environment is made and nothing is measured."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from benchmarks._samples import Samples
from benchmarks.compare import _counted, _page, _timed
from benchmarks.compare._arms import Arm
from benchmarks.compare._counted import RIGHT, Counted, Question, counted, first_wrong, tally
from benchmarks.compare._page import Page
from benchmarks.compare._timed import Timed, ratio_text, spread

ARMS = (
    Arm(distribution="one", package="one", python=Path("one"), path=Path("path")),
    Arm(distribution="two", package="two", python=Path("two"), path=Path("path")),
)


def timed(theirs: list[float], ours: list[float]) -> Timed:
    return Timed(what="a thing", theirs=Samples(theirs), ours=Samples(ours), why="there is a reason.", note="a note")


@pytest.mark.parametrize("module", [_counted, _page, _timed], ids=lambda module: module.__name__)
def test_examples_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert result.failed == 0


def test_a_row_says_median_range_and_ratio() -> None:
    row = timed([0.1, 0.2, 0.4], [0.04, 0.05, 0.06])
    assert (spread(row.theirs), spread(row.ours), ratio_text(row)) == (
        "200 ms [100-400]",
        "50.0 ms [40.0-60.0]",
        "0.25 x (within the spread)",
    )


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
    assert (ratio_text(row), row.worse) == (text, worse)


def test_there_is_no_ratio_to_nothing() -> None:
    row = timed([-0.1], [0.1])
    assert (row.ratio, ratio_text(row)) == (None, "-")


def ask(arm: Arm, folder: Path, case: str) -> str:
    if case == "crash":
        raise RuntimeError("Traceback:\n  File x\nValueError: no | more")
    return RIGHT if arm.package == "two" or case == "a" else f"{case} of {arm.package}"


QUESTION = Question(what="letters", cases=("a", "b", "crash"), ask=ask, why="letters are hard.")


def test_a_case_that_crashes_is_wrong_and_stops_nothing() -> None:
    ticks: list[None] = []
    (row,) = counted([QUESTION], ARMS, Path(), lambda: ticks.append(None))
    assert (row.theirs, row.ours) == (
        {"a": RIGHT, "b": "b of one", "crash": "ValueError: no | more"},
        {"a": RIGHT, "b": RIGHT, "crash": "ValueError: no | more"},
    )
    assert (tally(row.theirs), tally(row.ours), first_wrong(row.theirs)) == ("1 of 3", "2 of 3", "b: b of one")
    assert len(ticks) == 6


def test_few_cases_are_the_first_ones() -> None:
    assert (QUESTION.first(2).cases, QUESTION.first(None).cases) == (("a", "b"), QUESTION.cases)


def page(*rows: Timed, found: Counted, failed: tuple[str, ...] = ()) -> list[str]:
    return str(Page(title="Title", about=["about"], timed=rows, counted=[found], failed=failed)).splitlines()


def test_the_page_has_both_tables_and_says_why_where_ours_is_worse() -> None:
    found = Counted(question=QUESTION, theirs={"a": RIGHT}, ours={"a": "it | is\nred"})
    lines = page(timed([0.1], [0.2]), found=found, failed=("imports: no",))
    assert "| a thing | 100 ms [100-100] | 200 ms [200-200] | 2.00 x | 1 |" in lines
    assert "| letters | 1 of 1 | 0 of 1 | - | a: it / is red |" in lines
    assert "- a thing: there is a reason." in lines
    assert "- letters: letters are hard." in lines
    assert [line for line in lines if line.startswith(("- a n", "- Not"))] == [
        "- a note",
        "- Not measured: imports: no",
    ]


def test_the_page_gives_no_reason_where_ours_is_not_worse() -> None:
    lines = page(timed([0.2], [0.1]), found=Counted(question=QUESTION, theirs={"a": RIGHT}, ours={"a": RIGHT}))
    assert not [line for line in lines if "reason" in line or "hard" in line]
