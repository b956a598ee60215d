"""What the tests of several pages need: the fenced blocks of a page, and the tests that it names."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Final

from tests.checkout import ROOT

PAGES: Final = {
    str(path.relative_to(ROOT)): path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
}
"""Every page of the documentation, by its path in the repository."""

_BLOCK: Final = re.compile(r"^(?P<fence>`{3,})(?P<kind>\w*)\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        page: Path of its page in the repository.
        kind: What it is said to be, such as ``python``; may be empty.
        text: What is in it.
    """

    page: str
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = _BLOCK.finditer(PAGES[page].read_text())
    return [Block(page=page, kind=one["kind"], text=one["text"]) for one in found]


def named_tests(text: str) -> list[str]:
    """Return the tests that a text names, as ``tests/x/test_y.py::test_z``."""
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", text)))


def exists(test: str) -> bool:
    """Whether there is such a test."""
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.exists() and any(
        isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(ast.parse(file.read_text()))
    )


def section(page: str, heading: str) -> str:
    """Return what stands below a heading of the second level, to the next one."""
    return PAGES[page].read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]


def table_rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of each row of the table below a heading, without its head."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
