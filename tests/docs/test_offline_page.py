"""The page on offline runs: its commands print what it says, and its task uploads."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT
from tests.cli.running import run
from tests.conftest import LocalRun
from tests.docs.consoles import consoles
from tests.offline_runs.conftest import offline_run

__all__ = ["offline_run"]

PAGE = (ROOT / "docs" / "offline.md").read_text()
PAGES_SERVER = "http://localhost:8080"
HOME = "/home/me"


@pytest.fixture
def raw(offline_run: Callable[..., Path], tmp_path: Path) -> Path:
    """The storage of the page: two Flyte runs of which each has kept one."""
    for flyte_run, rows, exit_code in (("good", 3, 0), ("bad", 1, 3)):
        run_id = f"{flyte_run}-a0"
        folder = offline_run(run_id, rows=rows, exit_code=exit_code)
        about = {"run_id": run_id, "project": "vision", "entity": "team", "flyte_run": flyte_run, "action": "a0"}
        (folder / "offline.json").write_text(json.dumps(about))
        home = tmp_path / "raw" / "wandb-offline" / flyte_run / "a0"
        home.mkdir(parents=True)
        moment = "20260101_110000" if flyte_run == "good" else "20260101_120000"
        folder.rename(home / f"offline-run-{moment}-{run_id}")
    return tmp_path / "raw"


def test_the_commands_print_what_the_page_says(raw: Path, server: WandbServer, tmp_path: Path) -> None:
    for console in consoles(PAGE):
        program, *arguments = shlex.split(console.command)
        result = run(*arguments, program=program, folder=tmp_path, environ=server.environ)
        printed = result.stdout.replace(str(tmp_path), HOME).replace(server.url, PAGES_SERVER)
        assert printed.rstrip("\n") == console.output, result.stderr


@pytest.mark.usefixtures("online")
def test_the_task_uploads_what_is_in_a_storage(raw: Path, server: WandbServer, run_local: LocalRun) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert run_local(names["upload"], str(raw)) == [server.run("good-a0").url, server.run("bad-a0").url]
    assert [run.state for run in server.runs].count("failed") == 1
