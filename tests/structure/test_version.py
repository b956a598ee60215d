"""One place says the version, and what it says of Python's versions everybody says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest

import flyte_wandb
from tests.checkout import ROOT

PROJECT: Final = (ROOT / "pyproject.toml").read_text()
PLACES: Final = (
    "flyte_wandb/**/*.py",
    "hookspecs/**/*.py",
    "builtin_strategies/**/*.py",
    "tests/**/*.py",
    "benchmarks/**/*.py",
    "examples/*.py",
    "docs/*",
    "*.md",
    "*.py",
    "*.yml",
    "Makefile",
    ".ci/*",
    ".github/**/*",
)
WITH_VERSIONS_OF_THEIR_OWN: Final = ("CHANGELOG.md", "tests/plugins/test_wheels.py")
"""The history of all versions, and a test whose packages are the example plugins."""


def project_version() -> str:
    (version,) = re.findall(r'^version = "(.+)"$', PROJECT, re.MULTILINE)
    return str(version)


def sources() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file that could say a version, but for what pages show as printed."""
    for path in sorted({path for place in PLACES for path in ROOT.glob(place) if path.is_file()}):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix != ".png" and name not in WITH_VERSIONS_OF_THEIR_OWN:
            yield name, own_words(path.read_text()) if path.suffix == ".md" else path.read_text()


def own_words(page: str) -> str:
    """Return a page without its code, which other tests compare with what runs, and without the notes of tables."""
    return re.sub(r"^```.*?^```|^- [^\n]*\bPython \d[^\n]*$", "", page, flags=re.MULTILINE | re.DOTALL)


def saying(version: str, texts: Iterator[tuple[str, str]]) -> list[str]:
    word = re.compile(rf"(?<![\w.]){re.escape(version)}(?![\w.]*\d)")
    return [name for name, text in texts if word.search(text)]


def test_the_version_at_run_time_is_that_of_the_project() -> None:
    assert flyte_wandb.__version__ == project_version()


def test_nothing_else_says_the_version() -> None:
    assert saying(project_version(), sources()) == []


def test_what_would_say_it_is_found() -> None:
    texts = [
        ("code", '__version__ = "1.2.3"'),
        ("prose", "since 1.2.3."),
        ("other", "11.2.3, 1.2.30, 1.2.3.4, flyte 0.1.2.3"),
        ("printed", own_words("```console\n$ x\n1.2.3\n```\n- Python 3.11.7, flyte-wandb 1.2.3\n")),
    ]
    assert saying("1.2.3", iter(texts)) == ["code", "prose"]


@pytest.mark.parametrize("root", ["flyte_wandb", "hookspecs", "builtin_strategies"])
def test_no_module_assigns_a_version(root: str) -> None:
    assigned = [
        path.name
        for path in (ROOT / root).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign) and "__version__" in {ast.unparse(target) for target in node.targets}
    ]
    assert assigned == []


def test_all_say_the_same_of_python() -> None:
    """Without an upper bound: pip would take an older release of the package instead of saying so."""
    (lowest,) = re.findall(r'^requires-python = ">=(3\.\d+)"$', PROJECT, re.MULTILINE)
    assert re.findall(r"Python :: (3\.\d+)", PROJECT) == [f"3.{minor}" for minor in range(10, 16)]
    assert lowest == "3.10"
    assert f'python_version = "{lowest}"' in PROJECT
    assert f'target-version = "py{lowest.replace(".", "")}"' in PROJECT


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("README.md", "Python 3.10 or newer"),
        ("CONTRIBUTING.md", "Python 3.10 or newer"),
        ("docs/compatibility.md", "Python from 3.10"),
    ],
)
def test_the_pages_name_the_lowest_python_and_no_highest(page: str, words: str) -> None:
    text = (ROOT / page).read_text()
    assert words in text
    assert re.findall(r"Python 3\.\d+ to 3\.\d+", text) == []
