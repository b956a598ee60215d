"""The first pages of the site: their code does what they say."""

from __future__ import annotations

import pytest

from flyte_wandb import Role
from tests.checkout import ROOT
from tests.docs.pages import PAGES, blocks


@pytest.mark.parametrize("name", ["first", "quickstart"])
def test_the_programs_of_the_first_page_are_the_examples(name: str) -> None:
    """Which the README tells to run: see tests/docs/test_readme.py."""
    program = (ROOT / "examples" / f"{name}.py").read_text()
    assert [block.text for block in blocks("docs/index.md") if block.text == program] == [program]


def test_the_first_page_has_the_commands_of_the_readme() -> None:
    told = [block.text.splitlines()[0] for block in blocks("README.md") if block.kind == "console"]
    own = [block.text.strip() for block in blocks("docs/index.md") if block.kind == "console"]
    assert [command for command in own if command not in told] == []


@pytest.mark.usefixtures("clean_client")
def test_settings_are_those_that_the_page_asserts() -> None:
    (block,) = (one for one in blocks("docs/concepts.md") if one.kind == "python")
    exec(block.text, {})


def test_every_role_is_told() -> None:
    page = PAGES["docs/concepts.md"].read_text()
    assert [role for role in Role if f"| `{role.value}` |" not in page] == []
