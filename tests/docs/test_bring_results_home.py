"""The page on downloads: its code does what it says, and its commands print what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from examples.results import main
from flyte_wandb import wandb_config
from flyte_wandb.results.downloads._limits import (
    ARTIFACTS_VARIABLE,
    AT_ONCE_VARIABLE,
    PATIENCE_VARIABLE,
    DownloadLimits,
)
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client._reader import _MOST_METRICS
from tests.checkout import ROOT
from tests.cli.running import run
from tests.conftest import LocalRun
from tests.docs.consoles import consoles
from tests.downloads.artifacts import put_artifact

PAGE = (ROOT / "docs" / "bring-results-home.md").read_text()
HOME = "/home/me"


def code_with(words: str) -> str:
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if words in block)
    return str(found)


@pytest.fixture
def runs(server: WandbServer) -> WandbServer:
    """The server with the runs of the page."""
    place: dict[str, Any] = {"project": "vision", "entity": "team"}
    history = [{"loss": 1 / (1 + step)} for step in range(4)]
    files = {"config.yaml": b"lr: 0.1\n", "summary.json": b"my own\n\n"}
    server.put_run("rx7k2-a0", config={"lr": 0.1}, history=history, files=files, **place)
    put_artifact(server, "model", {"weights.bin": b"weights"}, run_id="rx7k2-a0", place=("team", "vision"))
    sweep = server.put_sweep({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.2]}}}, **place)
    for number in (1, 2):
        server.put_run(f"trial-{number}", sweep=sweep, history=[{"loss": 0.5}], **place)
    return server


def test_the_commands_print_what_the_page_says(runs: WandbServer, tmp_path: Path) -> None:
    for console in consoles(PAGE):
        program, *arguments = shlex.split(console.command)
        result = run(*arguments, program=program, folder=tmp_path, environ=runs.environ)
        assert result.stdout.replace(str(tmp_path), HOME).rstrip("\n") == console.output, result.stderr


def test_the_example_is_on_the_page() -> None:
    assert code_with("async def main") == (ROOT / "examples" / "results.py").read_text()


@pytest.mark.usefixtures("online")
def test_the_example_fetches_the_run_of_a_distributed_task_in_the_next_one(run_local: LocalRun) -> None:
    assert run_local(main, context=wandb_config(project="vision")) == 0.25


@pytest.mark.usefixtures("online")
def test_a_task_with_the_setting_has_its_run_in_flytes_storage(run_local: LocalRun, tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(code_with("download_logs=True"), names)
    assert run_local(names["train"], context=wandb_config(project="vision")) == 0.5
    (history,) = (tmp_path / "raw").glob("wandb-run-*/history.jsonl")
    assert '"loss": 0.5' in history.read_text()


@pytest.mark.usefixtures("online")
def test_the_folder_is_read_as_the_page_says(
    runs: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exec(code_with("losses ="), {})
    assert capsys.readouterr().out == "0.1 0.25\n"


def test_the_page_tells_the_numbers_that_hold() -> None:
    assert f"| `{AT_ONCE_VARIABLE}` | {DownloadLimits().at_once} |" in PAGE
    assert f"| `{PATIENCE_VARIABLE}` | {DownloadLimits().patience:.0f} |" in PAGE
    assert f"| `{ARTIFACTS_VARIABLE}` | {DownloadLimits().artifacts_gib:.0f} |" in PAGE
    assert f"more than {_MOST_METRICS:,} rows" in PAGE
