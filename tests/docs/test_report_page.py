"""The page on the report: its code has the tab, and its numbers hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.results.report._history import MOST_BYTES, MOST_PLOTS
from flyte_wandb.results.report._series import MOST_BUCKETS
from tests.checkout import ROOT
from tests.conftest import LocalRun

PAGE = (ROOT / "docs" / "report.md").read_text()


@pytest.mark.usefixtures("offline")
def test_the_code_has_the_tab(run_local: LocalRun, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert run_local(names["train"], 4) == 0.25
    (report,) = tmp_path.rglob("report.html")
    assert 'aria-label="loss: 4 values, from 0.25 to 1"' in report.read_text()


def test_the_numbers_hold() -> None:
    assert f"at most {2 * MOST_BUCKETS} points" in PAGE
    assert f"first {MOST_PLOTS} metrics" in PAGE
    assert f"more than {MOST_BYTES // 2**20} MiB" in PAGE


def test_the_picture_is_there_and_small() -> None:
    assert (ROOT / "docs" / "pictures" / "report.png").stat().st_size < 150_000
