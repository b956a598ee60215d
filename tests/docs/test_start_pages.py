"""The first pages of the site: their code does what they say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyte_wandb import Role
from tests.checkout import import_path
from tests.docs.pages import PAGES, blocks
from tests.offline import logs
from tests.programs import run_python


@pytest.mark.usefixtures("clean_client")
def test_the_first_run_is_a_run_with_five_rows(tmp_path: Path) -> None:
    (block,) = (one for one in blocks("docs/index.md") if one.kind == "python")
    (tmp_path / "first.py").write_text(block.text)
    environ = os.environ | {"WANDB_MODE": "offline", "PYTHONPATH": import_path()}
    result = run_python("first.py", folder=tmp_path, environ=environ)
    assert (result.returncode, result.stdout.splitlines()[-1:]) == (0, ["0.2"]), result.stderr
    (log,) = logs(tmp_path)
    assert (log.project, log.exit_code, log.logged("loss")) == ("vision", 0, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


@pytest.mark.usefixtures("clean_client")
def test_settings_are_those_that_the_page_asserts() -> None:
    (block,) = (one for one in blocks("docs/concepts.md") if one.kind == "python")
    exec(block.text, {})


def test_every_role_is_told() -> None:
    page = PAGES["docs/concepts.md"].read_text()
    assert [role for role in Role if f"| `{role.value}` |" not in page] == []
