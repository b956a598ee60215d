"""What tests of the tab share: the reports in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Reports = Callable[[], dict[str, str]]


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    """Return every report below the test's folder, by the name of the folder with it."""

    def found() -> dict[str, str]:
        files = sorted(tmp_path.rglob("report.html"))
        return {file.parent.relative_to(tmp_path).as_posix(): file.read_text() for file in files}

    return found


@pytest.fixture
def the_report(reports: Reports) -> Callable[[], str]:
    """Return the only report below the test's folder."""

    def found() -> str:
        (text,) = reports().values()
        return text

    return found
