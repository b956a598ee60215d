"""`flyte-wandb report`: it finds the report of a local run, and opens it in the browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from flyte_wandb.cli._report import FOLDER, find_reports
from tests.checkout import ROOT
from tests.cli.running import run

PAGE = (ROOT / "docs" / "report.md").read_text()


@pytest.fixture(scope="module")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Launch the task of the page with the command of the page, and return the name of the Flyte run."""
    folder, name = tmp_path_factory.mktemp("local"), f"test-{uuid4()}"
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (folder / "train.py").write_text(code)
    (command,) = re.findall(r"\$ flyte (run --local .*)", PAGE)
    arguments = command.replace("--name first", f"--name {name}").split()
    result = run(*arguments, program="flyte", folder=folder, environ={"WANDB_MODE": "offline"})
    assert result.returncode == 0, result.stdout + result.stderr
    yield name
    shutil.rmtree(FOLDER / name)  # where Flyte's command writes cannot be chosen


def report(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return run("report", *arguments, folder=folder, environ=environ)


def test_it_prints_the_path_of_a_runs_report(local_run: str, tmp_path: Path) -> None:
    by_name = report(local_run, "--no-open", folder=tmp_path)
    by_path = report(str(FOLDER / local_run), "--no-open", folder=tmp_path)
    assert by_name.stdout == by_path.stdout
    assert 'aria-label="loss: 4 values, from 0.25 to 1"' in Path(by_name.stdout.rstrip("\n")).read_text()


def test_it_opens_the_report_in_the_browser(local_run: str, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)
    result = report(local_run, folder=tmp_path, BROWSER=f"{browser} %s")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "opened").read_text() == Path(result.stdout.rstrip("\n")).as_uri()


def test_without_a_browser_it_says_which_file_to_open(local_run: str, tmp_path: Path) -> None:
    result = report(local_run, folder=tmp_path, BROWSER="false %s", PATH="/nowhere")
    path = result.stdout.rstrip("\n")
    assert result.returncode == 1
    assert result.stderr == f"Error: no browser opened {path}; open it yourself, or pass --no-open\n"


def test_a_run_that_is_unknown_is_named_with_those_that_have_a_report(local_run: str, tmp_path: Path) -> None:
    result = report("gone", "--no-open", folder=tmp_path)
    expected = (
        "Error: there is no folder 'gone', and no local run of this name in /tmp/flyte/metadata; the newest reports"
    )
    assert result.returncode == 1
    assert result.stderr.startswith(expected)
    assert local_run in result.stderr


def test_a_folder_without_a_report_names_the_setting(tmp_path: Path) -> None:
    result = report(".", "--no-open", folder=tmp_path)
    assert result.returncode == 1
    assert result.stderr == (
        "Error: there is no report below .; put @wandb_init(report=True) on the task, and run it with `flyte run "
        "--local`. On a cluster, open the report in Flyte's UI\n"
    )


def test_the_newest_report_of_several_is_shown(tmp_path: Path) -> None:
    newest = write_reports(tmp_path, "old", "new")
    result = report(str(tmp_path), "--no-open", folder=tmp_path)
    assert (result.stdout, result.stderr) == (f"{newest}\n", f"1 older report below {tmp_path}\n")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
def test_the_report_of_another_user_is_never_opened(tmp_path: Path) -> None:
    os.chown(write_reports(tmp_path, "own", "foreign"), 1234, 1234)
    assert [path.parent.name for path in find_reports(tmp_path)] == ["own"]


def write_reports(folder: Path, *names: str) -> Path:
    """Write a report for each name, each newer than the one before, and return the last."""
    for moment, name in enumerate(names):
        path = folder / name / "report.html"
        path.parent.mkdir()
        path.write_text("")
        os.utime(path, (moment, moment))
    return path
