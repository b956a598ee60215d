"""The page on what the double is sure of: its code runs, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "double.md"


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out == "0\n"


def test_every_test_that_the_page_names_is_there() -> None:
    tests = "".join(path.read_text() + path.name for path in (PAGE.parents[1] / "tests" / "double").glob("*.py"))
    named = set(re.findall(r"`(test_[\w.]+)`", PAGE.read_text()))
    assert len(named) > 20
    assert [name for name in named if name not in tests] == []
