"""The design page: its rooms are those that the linter knows, and its files and front doors are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.docs.pages import table_rows

PAGE = (ROOT / "docs/design.md").read_text()
HOST = ROOT / "flyte_wandb"


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w/.]+)`", cell)


def test_the_rooms_are_in_the_order_that_the_linter_holds() -> None:
    layers = re.search(r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    assert layers is not None
    in_order = re.findall(r"\w+", layers[1])
    assert [name for row in table_rows("docs/design.md", "The rooms of the host") for name in names(row[0])] == in_order


@pytest.mark.parametrize("row", table_rows("docs/design.md", "The rooms of the host"), ids=lambda row: row[0])
def test_a_rooms_front_doors_are_in_it(row: list[str]) -> None:
    room = HOST / names(row[0])[0]
    sources = [path.read_text() for path in ([room.with_suffix(".py")] if not room.is_dir() else room.rglob("*.py"))]
    for door in names(row[2]):
        assert any(re.search(rf"^(class |(async )?def |){door}\b", text, re.MULTILINE) for text in sources), door


@pytest.mark.parametrize("row", table_rows("docs/design.md", "I want to change ..."), ids=lambda row: row[0])
def test_what_somebody_wants_to_change_is_where_the_page_says(row: list[str]) -> None:
    files = names(row[1])
    assert files
    assert [file for file in files if not Path(ROOT, file).is_file()] == []
