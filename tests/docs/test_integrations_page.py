"""The page on integrations: its code is run by tests/integrations, and its links lead somewhere."""

from __future__ import annotations

import re

from tests.checkout import ROOT

PAGE = (ROOT / "docs" / "integrations.md").read_text()


def test_every_block_is_a_task_that_a_test_runs() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "integrations").glob("test_*.py"))
    shown = re.findall(r"^def (\w+)\(", PAGE, re.M)
    assert len(shown) == PAGE.count("```python") == 3
    assert [name for name in shown if f'"{name}"' not in tests] == []


def test_what_the_page_links_to_exists() -> None:
    headings = {re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in re.findall(r"^## (.*)", PAGE, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target[1:] in headings if target.startswith("#") else (ROOT / "docs" / target).exists(), target
