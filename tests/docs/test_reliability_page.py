"""The fault table names tests that exist, and enough faults."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import wandb_init
from flyte_wandb.tasks._wrapper import is_tracked
from tests.checkout import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| \d+ \|.*", PAGE, re.M)]
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_the_table_has_the_faults_and_every_column() -> None:
    assert len(ROWS) >= 24
    assert [int(row[0]) for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert [row for row in ROWS if len(row) != 8 or not all(row)] == []
    assert [row[-1] for row in ROWS if not re.fullmatch(r"`tests/[\w/]+\.py::\w+`", row[-1])] == []


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def test_what_the_page_links_to_exists() -> None:
    for target in re.findall(r"\]\(([\w./-]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_code_of_the_page_is_accepted() -> None:
    environment = flyte.TaskEnvironment(name="reliability")
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        names: dict[str, Any] = {
            "flyte": flyte,
            "env": environment,
            "json": json,
            "Path": Path,
            "wandb_init": wandb_init,
        }
        exec(block, names)
        assert is_tracked(names["train"].func)
