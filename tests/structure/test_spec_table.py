"""The table of what the existing plugin's README promises: each line has a test that exists, or a reason on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, get_args

import pytest
import yaml

from flyte_wandb import RankScope, RunMode
from tests.docs.pages import exists, section
from tests.pure.worlds import manager

TABLE: Final[dict[str, list[dict[str, str]]]] = yaml.safe_load(Path(__file__).with_name("spec.yaml").read_text())
LINES: Final[list[Any]] = [
    pytest.param(line, id=f"{part}: {line['says']}") for part, lines in TABLE.items() for line in lines
]


@pytest.mark.parametrize("line", LINES)
def test_a_promise_is_proved_by_a_test_or_differs_for_a_reason_on_the_page(line: dict[str, str]) -> None:
    assert line.keys() in ({"says", "test"}, {"says", "differs"})
    if "test" in line:
        assert exists(line["test"]), line["test"]
    else:
        assert f"| {line['differs']}" in section("docs/migrate.md", "What is different on purpose")


def test_no_promise_stands_there_twice() -> None:
    says = [line["says"] for lines in TABLE.values() for line in lines]
    assert sorted(set(says)) == sorted(says)
    assert len(says) > 80


def test_the_types_have_the_texts_of_the_built_ins() -> None:
    for kind, literal in (("run_mode", RunMode), ("rank_scope", RankScope)):
        assert sorted(get_args(literal)) == sorted(strategy.name for strategy in manager().strategies(kind))
