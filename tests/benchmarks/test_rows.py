"""Every row of a published table is declared, and judged by its own limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks._experiments import Experiment, name_readings
from benchmarks._rows import Declaration, judge, read_groups
from benchmarks.compare.cases import CHECKS, read_questions
from benchmarks.compare.linking import LINKING

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "programs"
TABLES = ("benchmarks", "growth", "comparison")


def published(table: str) -> list[str]:
    """Return the names of the rows of a page, in their order; a row of growth has its sizes behind its name."""
    names = re.findall(r"^\| (.+?) \|", (DOCS / f"{table}.md").read_text(), re.MULTILINE)
    return [re.sub(r": \d+ sizes, .*", "", name) for name in names if name not in ("what", "---", "right of all")]


def declared(table: str) -> list[str]:
    rows = [row.what for _, rows in read_groups(table).values() for row in rows]
    counted = (
        [*LINKING, *(one for group in read_questions().values() for one in group)] if table == "comparison" else []
    )
    return rows + [question.what for question in counted]


@pytest.mark.parametrize("table", TABLES)
def test_every_published_row_is_declared(table: str) -> None:
    names = published(table)
    assert len(names) > 10
    assert [name for name in declared(table) if name in names] == names


def test_every_published_number_of_cases_is_that_of_the_cases() -> None:
    questions = [*LINKING, *(one for group in read_questions().values() for one in group)]
    page = (DOCS / "comparison.md").read_text()
    counts = dict(re.findall(r"^\| (.+?) \| \d+ of \d+ \| \d+ of (\d+) \|", page, re.MULTILINE))
    assert {question.what: str(len(question.cases)) for question in questions} == counts


@pytest.mark.parametrize("table", TABLES)
def test_every_row_shows_a_reading_of_an_experiment_and_every_program_exists(table: str) -> None:
    for experiments, rows in read_groups(table).values():
        for row in rows:
            assert row.value.rpartition(".")[0] in experiments
        for experiment in experiments.values():
            module, _, function = experiment.run.rpartition(".")
            assert f"\ndef {function}(" in (PROGRAMS / f"{module}.py").read_text()
            assert bool(experiment.sizes) is (table == "growth")


def test_a_case_says_what_runs_and_what_is_to_come_of_it() -> None:
    known = {"program", "arguments", "environ", "attempts", "fails", "faults", "history"}
    for question in (one for group in read_questions().values() for one in group):
        for case in question.ask.args[0].values():  # type: ignore[attr-defined]
            assert case.keys() & CHECKS.keys()
            assert case.keys() <= known | CHECKS.keys()


def test_readings_are_named_by_their_experiment() -> None:
    found = name_readings("import", [{"peak": 3}, {"peak": 4}], [{"peak": 1}, {"peak": 2}])
    assert found == {"import.peak": ([3, 4], [1, 2])}
    assert Experiment(run="starting.time_import").times == (1, 1)


@pytest.mark.parametrize(
    ("said", "result", "limit", "ok"),
    [
        ({"judge": "ratio", "limit": 1.5}, "2.00 x", "1.50 x", False),
        ({"judge": "ratio", "limit": 2.0}, "2.00 x", "2.00 x", True),
        ({"judge": "ratio"}, "2.00 x", "-", None),
        ({"judge": "difference", "limit": 100.0}, "100 ms (95 %: 100 to 100)", "100 ms", True),
        ({"judge": "difference", "limit": 99.0}, "100 ms (95 %: 100 to 100)", "99 ms", False),
        ({"judge": "ceiling", "limit": 400.0}, "50% of the limit", "400 ms", True),
        ({"judge": "lacks", "limit": ["wandb"]}, "2 modules more", "no wandb, plugin", False),
    ],
)
def test_a_row_is_judged_by_its_limit(said: dict[str, Any], result: str, limit: str, ok: bool | None) -> None:
    seconds: tuple[list[Any], list[Any]] = ([0.2, 0.2, 0.2], [0.1, 0.1, 0.1])
    modules: tuple[list[Any], list[Any]] = ([["os", "wandb", "wandb.sdk"]], [["os"]])
    row = judge(
        Declaration(what="a thing", value="it.is", **said), {"it.is": modules if said["judge"] == "lacks" else seconds}
    )
    assert (row.result, row.limit, row.ok) == (result, limit, ok)
