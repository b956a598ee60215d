"""The page on testing plugins: its tests pass, and fail with the words that it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from flyte_wandb.testing import SHAPES, PluginConformance, WandbServer
from tests.checkout import ROOT
from tests.programs import run_pytest

PAGE = (ROOT / "docs" / "test-your-plugin.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ISLAND: str = next(
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "links-and-plans.md").read_text(), re.DOTALL)
    if "def locate_rank" in block
)


def run_tests(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "test_page.py").write_text(source)
    return run_pytest("test_page.py", folder=folder)


@pytest.mark.parametrize(
    ("blocks", "passed"), [(slice(0, 1), 7), (slice(1, 2), 1), (slice(2, 3), 1), (slice(3, None), 3)]
)
def test_the_tests_of_the_page_pass(blocks: slice, passed: int, tmp_path: Path) -> None:
    (tmp_path / "flyte_wandb_gpu_island.py").write_text(ISLAND)
    result = run_tests("\n\n".join(BLOCKS[blocks]), tmp_path)
    assert re.search(rf"^{passed} passed", result.stdout, re.MULTILINE), result.stdout + result.stderr


def test_the_suite_finds_an_island_that_says_it_is_whole_and_is_not(tmp_path: Path) -> None:
    (tmp_path / "flyte_wandb_gpu_island.py").write_text(ISLAND.replace("min(size, ranks - island * size)", "size"))
    result = run_tests(BLOCKS[0], tmp_path)
    assert "1 failed, 6 passed" in result.stdout
    assert "says that the part 'island-0' has 4 ranks, and it has 1; locate_rank of plugin" in result.stdout


def test_a_plan_that_differs_is_told_as_the_page_says(tmp_path: Path) -> None:
    (words,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    result = run_tests(BLOCKS[1].replace('role="solo"', 'role="primary"'), tmp_path)
    said = [line.removeprefix("E").strip() for line in result.stdout.splitlines() if line.startswith("E  ")]
    assert [line.removeprefix("AssertionError: ") for line in said][:6] == [line.strip() for line in words.splitlines()]


def test_the_page_tells_the_numbers_that_hold() -> None:
    tests = [name for name in vars(PluginConformance) if name.startswith("test_")]
    assert "brings seven tests" in PAGE
    assert len(tests) == 7
    assert "two dozen worlds" in PAGE
    assert len(SHAPES) == 24


def test_the_page_names_all_that_the_server_can_do() -> None:
    section = PAGE[PAGE.index("## Real runs") :]
    public = [name for name in dir(WandbServer) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"`{name}\b", section)] == []


def test_the_page_tells_where_faults_hit_as_the_server_does() -> None:
    rows = PAGE[PAGE.index("| `where`") :].partition("\n\n")[0].splitlines()[2:]
    told = {name for row in rows for name in re.findall(r"`(.+?)`", row.split("|")[1])}
    assert told == set(re.findall(r"``([\w:/*]+)``", WandbServer.fault.__doc__ or ""))
