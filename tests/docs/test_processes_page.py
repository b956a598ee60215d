"""The page on processes and threads: each row of its table, and its code, in a container."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from flyte_wandb.testing import WandbServer, run_container, start_container
from tests.docs.pages import PAGES, blocks
from tests.docs.process_tasks import tries_all_ways
from tests.docs.process_ways import WAYS
from tests.faults.acting import QUICK
from tests.versions import with_torch

PAGE: Final = "docs/processes-and-threads.md"
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGES[PAGE].read_text().splitlines()
    if re.match(r"\| (?!code|-)", line)
]
with_torch("torch")


def test_code_finds_the_run_that_the_table_says_and_its_rows_arrive(server: WandbServer, tmp_path: Path) -> None:
    assert [row[0] for row in ROWS] == list(WAYS)
    result = run_container(tries_all_ways, folder=tmp_path, environ={**server.environ, **QUICK}, timeout=220)
    assert (result.exit_code, result.error) == (0, None), result.log
    (run,) = server.runs
    names = {run.id: "the task's run", "": "`None`"}
    assert [{names.get(found, found) for found in way} for way in result.value] == [{row[1]} for row in ROWS]
    arrived = [len(run.logged(str(number))) == len(way) for number, way in enumerate(result.value)]
    assert arrived == [row[2] == "arrives" for row in ROWS]
    assert (run.state, run.exit_code) == ("finished", 0)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The code of the page as a module that a container and its workers can import."""
    start = 'import flyte\n\nenv = flyte.TaskEnvironment(name="pages_workers")\n'
    code = [block.text for block in blocks(PAGE) if block.kind == "python"]
    (tmp_path / "pages_workers.py").write_text("\n".join([start, *code]))
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("pages_workers")


def test_the_code_of_the_page_logs_to_the_run_of_its_task(
    module: ModuleType, server: WandbServer, tmp_path: Path
) -> None:
    inputs: dict[str, dict[str, int]] = {"in_threads": {}, "in_workers": {"folds": 3}, "with_a_script": {}}
    containers = [
        start_container(
            getattr(module, name),
            folder=tmp_path,
            inputs=given,
            environ={**server.environ, **QUICK},
            run_name=name.replace("_", ""),
        )
        for name, given in inputs.items()
    ]
    for result in [container.wait() for container in containers]:
        assert (result.exit_code, result.error) == (0, None), result.log
    threads, workers, script = (server.run(f"{name}-a0") for name in ("inthreads", "inworkers", "withascript"))
    assert (threads.logged("own"), threads.logged("shared")) == ([1], [1])
    assert workers.logged("score") == [1, 0.5, 1 / 3]
    assert (script.logged("accuracy"), len(script.writers)) == ([0.9], 2)
    assert {(run.state, run.exit_code) for run in server.runs} == {("finished", 0)}
    assert len(server.runs) == 3
