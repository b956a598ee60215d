"""Pages, messages and docstrings avoid the phrases that make a sentence hard to read, each with what to write instead.

No linter of the field fits. vale's packages download a program when they are first called, which a machine without the
network cannot; proselint has no rules of a project's own; codespell knows single words only. So the rules are a table
here. Add what you check to `PAGES` and `ROOMS`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.checkout import ROOT

PAGES: Final = ("CONTRIBUTING.md", "README.md", "SECURITY.md", "docs/*.md")
"""Pages that are checked, as globs from the root."""

ROOMS: Final = ("builtin_strategies/**/*.py", "flyte_wandb/**/*.py", "hookspecs/**/*.py")
"""Python files that are checked, as globs from the root: every text in them, docstrings among them."""

RULES: Final = {
    r"\b(?:goes|go|going) over\b": "overrides; or `first match wins:` and the list",
    r"\b(?:goes|go|going) on\b": "continues, keeps running",
    r"\b(?:is|are) what\b": "name the thing itself",
    r"\b(?:that|which) (?:is|are) to (?:have|be)\b": "name the purpose: `the project for the runs`",
    r"\bwhere (?:there is|it has|they have) (?:one|none)\b": "if there is one; or leave it out",
    r"(?:^|\. )Where (?!to\b|your\b)[^,.:|]{3,80},": "If ..., ...",
    r"\bwhose\b": "two sentences, or `with`",
    r"\bof (?:its|their|your|his|my|our|a task's) own\b": "its own run, rather than a run of its own",
    r"(?<![Tt]here)(?: is| are| was| were) no (?!longer\b|more\b)": "is not a ...",
    r"\b(?:is|are) none of\b": "is not",
    r"\bstands?\b(?! for\b| in\b|-)": "is, comes, `put it`",
    r"\b(?:is|are|was|were|be|been) told\b": "gets, knows; or who tells whom",
    r"\b(?:is|are|was|were|be|been) (?:handed|given)\b": "gets; or who passes it",
    r"\bhand(?:s|ed)? (?:over|it|the|them)\b": "pass",
    r"\bin (?:the )?place of\b|\btakes? (?:the|its|their) place\b": "instead of, replaces",
    r"\bas they (?:are|were)\b": "unchanged",
    r"\bas (?:its|their) documentation has it\b": "name who documents it",
    r"\bsomebody\b": "you; or who it is",
    r"\bsees? to it\b": "does it",
    r"\bin vain\b|\bat will\b": "without a result; on demand",
}
"""Patterns of phrases, each with what to write instead."""

_NO_HEADING: Final = re.compile(r"^(?P<head>\|.*\| *\|) *\n\|[-:| ]+\|$", re.MULTILINE)
_CODE: Final = re.compile(r"^```.*?^```$|<!--.*?-->|`[^`\n]*`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
_DOCTEST: Final = re.compile(r"^ *>>> .*?(?:\n *\n|\Z)|`[^`\n]*`", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Text:
    """Something that people read.

    Attributes:
        where: File and line of its start.
        line: The line.
        text: What is checked: code and addresses are blank, so that lines keep their numbers.
    """

    where: str
    line: int
    text: str


def files(globs: tuple[str, ...]) -> list[Path]:
    """Return the files that match; a glob that matches none is an error."""
    found = {glob: sorted(ROOT.glob(glob)) for glob in globs}
    assert [glob for glob, paths in found.items() if not paths] == []
    return [path for paths in found.values() for path in paths]


def page_text(path: Path) -> Text:
    return Text(where=str(path.relative_to(ROOT)), line=1, text=_CODE.sub(_blank, path.read_text()))


def texts_of(path: Path) -> Iterator[Text]:
    """Yield the texts in a Python file: literals of any kind, the parts of f-strings joined."""
    tree = ast.parse(path.read_text())
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        yield Text(where=str(path.relative_to(ROOT)), line=node.lineno, text=_DOCTEST.sub(_blank, text))


def findings(text: Text) -> list[str]:
    """Return what is to be changed: file, line, phrase and remedy."""
    found = [
        (match.start(), f"{match[0].strip()!r}: write {instead}")
        for pattern, instead in RULES.items()
        for match in re.finditer(pattern.replace(" ", r"\s+"), text.text, re.MULTILINE)
    ]
    found += [(match.start(), "the last column has no heading: name it") for match in _NO_HEADING.finditer(text.text)]
    return [f"{text.where}:{text.line + text.text.count(chr(10), 0, start)}: {what}" for start, what in sorted(found)]


def _blank(match: re.Match[str]) -> str:
    """Return the newlines of a match, and a mark in place of the rest."""
    return "…" + "\n" * match[0].count("\n")


@pytest.mark.parametrize("page", files(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_no_hard_phrase(page: Path) -> None:
    assert findings(page_text(page)) == []


def test_messages_and_docstrings_have_no_hard_phrase() -> None:
    assert [one for path in files(ROOMS) for text in texts_of(path) for one in findings(text)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nThe decorator goes\nover it.", "page.md:2: 'goes\\nover': write overrides"),
        ("Where it fails, it stops.", "page.md:1: 'Where it fails,': write If ..., ..."),
        ("| setting | |\n|---|---|\n| a | b |", "page.md:1: the last column has no heading"),
    ],
)
def test_a_finding_names_place_phrase_and_remedy(text: str, expected: str) -> None:
    (found,) = findings(Text(where="page.md", line=1, text=text))
    assert found.startswith(expected)
