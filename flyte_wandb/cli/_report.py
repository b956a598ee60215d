"""`flyte-wandb report`: the report of a task that ran in Flyte's local mode."""

from __future__ import annotations

import os
import shlex
import webbrowser
from pathlib import Path
from typing import Final

import click

from flyte_wandb._logging import count_noun, listed, printable

FOLDER: Final = Path("/tmp/flyte/metadata")
"""Flyte's local mode writes reports here, as `RUN/ACTION/report.html`."""


def show_report(run: str | None, *, opens: bool) -> None:
    """Print the path of the newest report of a local run, and open it.

    Args:
        run: Name of a local Flyte run, or the folder of one; None for the newest report of all.
        opens: Whether to open it in the browser.

    Raises:
        FileNotFoundError: There is no such run, or it has no report.
        RuntimeError: There is no browser.
    """
    folder = FOLDER if run is None else _find_folder(run)
    reports = find_reports(folder)
    if not reports:
        raise FileNotFoundError(
            f"there is no report below {folder}; put @wandb_init(report=True) on the task, and run it with "
            "`flyte run --local`. On a cluster, open the report in Flyte's UI"
        )
    newest = reports[0]
    click.echo(printable(str(newest)))
    if run is not None and len(reports) > 1:
        click.echo(f"{count_noun(len(reports) - 1, 'older report')} below {printable(str(folder))}", err=True)
    if opens and not webbrowser.open(newest.as_uri()):
        raise RuntimeError(f"no browser opened {shlex.quote(str(newest))}; open it yourself, or pass --no-open")


def find_reports(folder: Path) -> list[Path]:
    """Return the reports below a folder, the newest first: your own only, because other users can write to /tmp."""
    own = [path for path in folder.absolute().rglob("report.html") if path.stat().st_uid == os.getuid()]
    return sorted(own, key=lambda path: path.stat().st_mtime, reverse=True)


def _find_folder(run: str) -> Path:
    """Return the folder of a run."""
    folder = next((path for path in (Path(run), FOLDER / run) if path.is_dir()), None)
    if folder is None:
        names = list(dict.fromkeys(path.parent.parent.name for path in find_reports(FOLDER)))
        known = f"the newest reports are of the runs {listed(names)}" if names else "no local run has a report"
        raise FileNotFoundError(f"there is no folder {run!r}, and no local run of this name in {FOLDER}; {known}")
    return folder
