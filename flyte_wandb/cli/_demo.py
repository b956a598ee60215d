"""The demo: real Flyte, the real W&B client, and a server double in place of W&B."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import flyte
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flyte_wandb import wandb_config
from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer, run_container, start_ranks

from ._demo_tasks import pretrain, publish, train

_SETTINGS = wandb_config(project="demo", tags=["demo"])
_STATES = {"finished": "green", "failed": "red", "running": "yellow"}


def run_demo(*, serve: bool) -> None:
    """Run the tasks with progress, and print a table of the runs that reached the server.

    Args:
        serve: Keep the server's pages up until the user interrupts.
    """
    console = Console()
    # The tasks fail and share runs on purpose; their warnings would be between the lines of the progress.
    logging.getLogger("flyte_wandb").setLevel(logging.ERROR)
    with WandbServer() as server, tempfile.TemporaryDirectory(prefix="flyte-wandb-") as folder:
        with _show_progress(console) as progress:
            accuracy = _run_locally(server, Path(folder), progress)
            _run_in_container(server, Path(folder), progress, accuracy)
            for run_mode in ("auto", "shared", "new"):
                _run_on_ranks(server, Path(folder), progress, run_mode)
        console.print(_build_table(server.runs))
        for run in server.runs:
            console.print(_fetch_page(run), soft_wrap=True, highlight=False)
        if serve:
            _serve_pages(console, server)
    if not serve:
        console.print("The server has stopped with the demo; [bold]flyte-wandb demo --serve[/] keeps the pages up.")


def _show_progress(console: Console) -> Progress:
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _run_locally(server: WandbServer, folder: Path, progress: Progress) -> float:
    step = progress.add_task("local mode: train, three folds at once, evaluate", total=1)
    with _set_environment(server.environ | {"WANDB_DIR": str(folder), "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}):
        flyte.init(log_level=logging.CRITICAL)
        runner: Any = flyte.with_runcontext(
            mode="local", name="demo", custom_context=dict(_SETTINGS), raw_data_path=str(folder / "raw")
        )
        (accuracy,) = runner.run(train).outputs()
    progress.advance(step)
    return float(accuracy)


def _run_in_container(server: WandbServer, folder: Path, progress: Progress, accuracy: float) -> None:
    step = progress.add_task("container entry point (a0): publish", total=1)
    options: dict[str, Any] = {"inputs": {"accuracy": accuracy}, "context": _SETTINGS, "environ": server.environ}
    _check_result(run_container(publish, folder=folder, run_name="demo", action_name="publish", **options))
    progress.advance(step)


def _run_on_ranks(server: WandbServer, folder: Path, progress: Progress, run_mode: str) -> None:
    step = progress.add_task(f"2 nodes x 2 ranks, run_mode {run_mode!r}: pretrain", total=4)
    context = {**_SETTINGS, **wandb_config(run_mode=run_mode)}
    options: dict[str, Any] = {"inputs": {"epochs": 3}, "context": context, "environ": server.environ}
    for rank in start_ranks(pretrain, folder=folder, nodes=(2, 2), run_name="demo", action_name=run_mode, **options):
        _check_result(rank.wait())
        progress.advance(step)


def _check_result(result: ContainerResult) -> None:
    if result.error or result.exit_code:
        raise SystemExit(f"a task of the demo failed: {result.error}\n{result.log}")


@contextmanager
def _set_environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _build_table(runs: Iterable[RunRecord]) -> Table:
    table = Table("run", "group", "writers", "state", "exit code", title="Runs that reached the server")
    for run in runs:
        state = f"[{_STATES.get(run.state, 'yellow')}]{run.state}"
        table.add_row(run.id, run.group or "", str(len(run.writers)), state, str(run.exit_code))
    return table


def _fetch_page(run: RunRecord) -> str:
    """Fetch the page as a browser would, so that a link that leads nowhere shows."""
    try:
        with urllib.request.urlopen(run.url) as answer:
            return f"[green]{answer.status}[/] {run.url}"
    except HTTPError as error:
        return f"[red]{error.code}[/] {run.url}"


def _serve_pages(console: Console, server: WandbServer) -> None:
    try:
        console.print(f"The pages are up at {server.url}; Ctrl-C ends the demo.")
        threading.Event().wait()  # nobody sets it
    except KeyboardInterrupt:
        console.print("Done.")
