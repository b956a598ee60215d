"""The pages for those who come from the other plugin and for contributors: names and tests exist, the code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import flyte_wandb
from flyte_wandb import wandb_config
from tests.conftest import LocalRun
from tests.docs.pages import PAGES, blocks, exists, named_tests, table_rows
from tests.offline import by_id

PAGE = PAGES["docs/migrate.md"].read_text()
THEIRS = {
    *("Wandb", "WandbSweep", "wandb_config", "wandb_init", "wandb_sweep", "wandb_sweep_config"),
    *("download_wandb_run_dir", "download_wandb_run_logs", "download_wandb_sweep_dirs", "download_wandb_sweep_logs"),
    *("get_distributed_info", "get_wandb_context", "get_wandb_run", "get_wandb_run_dir"),
    *("get_wandb_sweep_context", "get_wandb_sweep_id", "RunMode", "RankScope"),
}
"""`__all__` of flyteplugins.wandb 2.12.1, and the two types that its documentation names."""


@pytest.mark.parametrize("test", sorted({*named_tests(PAGE), *named_tests(PAGES["docs/design.md"].read_text())}))
def test_a_test_that_a_page_names_exists(test: str) -> None:
    assert exists(test)


def test_every_defect_has_an_answer_and_a_test() -> None:
    table = table_rows("docs/migrate.md", "What goes wrong there, and what happens here")
    assert len(table) >= 30
    assert [row for row in table if len(row) != 3 or not all(row) or not named_tests(row[2])] == []


def test_every_difference_says_what_to_write_and_has_a_test() -> None:
    table = table_rows("docs/migrate.md", "What is different on purpose")
    assert len(table) >= 25
    assert [row for row in table if len(row) != 4 or not all(row) or not named_tests(row[3])] == []


def test_every_name_of_theirs_has_one_of_ours() -> None:
    table = table_rows("docs/migrate.md", "Name by name")
    assert {re.findall(r"`(\w+)`", row[0])[0] for row in table} == THEIRS
    assert [row[1] for row in table if not hasattr(flyte_wandb, row[1].strip("`"))] == []


@pytest.mark.usefixtures("offline")
def test_the_code_opens_the_runs_of_parent_and_child(run_local: LocalRun, tmp_path: Path) -> None:
    (block,) = (one for one in blocks("docs/migrate.md") if one.kind == "python" and "import flyte" in one.text)
    names: dict[str, Any] = {}
    exec(block.text, names)
    above, below = run_local(names["parent"], context=wandb_config(project="vision"))
    found = by_id(tmp_path)
    assert {run: (log.project, log.tags, log.exit_code) for run, log in found.items()} == {
        above: ("vision", ["parent"], 0),
        below: ("vision", [], 0),
    }
    assert (found[below].logged("x"), found[below].config["lr"]) == ([1], 0.1)
