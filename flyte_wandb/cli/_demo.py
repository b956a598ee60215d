"""The demo: real Flyte, the real W&B client, and a server double instead of W&B."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError

import flyte
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from flyte_wandb import wandb_config
from flyte_wandb._logging import count_noun
from flyte_wandb.plugins._loading import DISABLE_VARIABLE
from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer, run_container, start_ranks

_SETTINGS = wandb_config(project="demo", tags=["demo"])
_RUN_MODES: Final = ("auto", "shared", "new")
_STATES = {"finished": "green", "failed": "red", "running": "yellow"}


def run_demo(*, serve: bool | None) -> None:
    """Run the tasks with progress, and print a table of the runs that reached the server.

    Args:
        serve: Whether the server's pages stay up until the user ends them; None for only on a terminal.
    """
    console = Console()
    # The tasks fail and share runs on purpose; their warnings would be between the lines of the progress.
    logging.getLogger("flyte_wandb").setLevel(logging.ERROR)
    with WandbServer() as server, tempfile.TemporaryDirectory(prefix="flyte-wandb-") as folder:
        own = {"WANDB_DIR": folder, "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
        with _replace_wandb_variables({**server.environ, **own}), _show_progress(console) as progress:
            _run_tasks(server, Path(folder), progress)
        console.print(_build_table(server.runs))
        _print_proofs(console, server.runs)
        if _on_terminal() if serve is None else serve:
            _serve_pages(console, server)
        else:
            console.print("To look at the pages: [bold]flyte-wandb demo --serve[/] keeps them up until you end it.")


def _show_progress(console: Console) -> Progress:
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _run_tasks(server: WandbServer, folder: Path, progress: Progress) -> None:
    from ._demo_tasks import pretrain, publish, train  # here: decoration, too, reads the variables that are replaced

    accuracy = _run_locally(train, folder, progress)
    _run_in_container(publish, server, folder, progress, accuracy)
    for run_mode in _RUN_MODES:
        _run_on_ranks(pretrain, server, folder, progress, run_mode)


def _run_locally(task: Any, folder: Path, progress: Progress) -> float:
    step = progress.add_task("local mode: train, three folds at once, evaluate", total=1)
    flyte.init(log_level=logging.CRITICAL)
    runner: Any = flyte.with_runcontext(
        mode="local", name="demo", custom_context=dict(_SETTINGS), raw_data_path=str(folder / "raw")
    )
    (accuracy,) = runner.run(task).outputs()
    progress.advance(step)
    return float(accuracy)


def _run_in_container(task: Any, server: WandbServer, folder: Path, progress: Progress, accuracy: float) -> None:
    step = progress.add_task("container entry point (a0): publish", total=1)
    options: dict[str, Any] = {
        "inputs": {"accuracy": accuracy},
        "context": _SETTINGS,
        "environ": _container_environ(server),
    }
    _check_result(run_container(task, folder=folder, run_name="demo", action_name="publish", **options))
    progress.advance(step)


def _run_on_ranks(task: Any, server: WandbServer, folder: Path, progress: Progress, run_mode: str) -> None:
    step = progress.add_task(f"2 nodes x 2 ranks, run_mode {run_mode!r}: pretrain", total=4)
    context = {**_SETTINGS, **wandb_config(run_mode=run_mode)}
    options: dict[str, Any] = {"inputs": {"epochs": 3}, "context": context, "environ": _container_environ(server)}
    for rank in start_ranks(task, folder=folder, nodes=(2, 2), run_name="demo", action_name=run_mode, **options):
        _check_result(rank.wait())
        progress.advance(step)


def _check_result(result: ContainerResult) -> None:
    if result.error or result.exit_code:
        raise SystemExit(f"a task of the demo failed: {result.error}\n{result.log}")


def _container_environ(server: WandbServer) -> dict[str, str]:
    """Return what a container of the demo has of this process's environment: which plugins to leave out."""
    disabled = os.environ.get(DISABLE_VARIABLE)
    return {**server.environ, **({DISABLE_VARIABLE: disabled} if disabled else {})}


@contextmanager
def _replace_wandb_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Replace all that the user has set for W&B, which would change what the demo shows."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("WANDB_", "FLYTE_WANDB_")) and name != DISABLE_VARIABLE:
            del os.environ[name]
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


def _print_proofs(console: Console, runs: Sequence[RunRecord]) -> None:
    console.print("What you have just seen, on this machine and without an account:")
    for proof in _list_proofs(runs):
        console.print(f"[green]✓[/] {proof}")
    pages = Counter(map(_page_status, runs))
    mark = "[green]✓[/]" if pages[200] == len(runs) else "[red]✗[/]"
    console.print(f"{mark} {pages[200]} of {count_noun(len(runs), 'run')} have a page where their link leads")


def _list_proofs(runs: Sequence[RunRecord]) -> Iterator[str]:
    folds = [run for run in runs if run.group == "folds"]
    failed = sum(run.state == "failed" for run in folds)
    yield f"child tasks: {count_noun(len(folds), 'separate run')} in a group, {failed} failed as its task did"
    ranks = {mode: [run for run in runs if run.id.startswith(f"demo-{mode}")] for mode in _RUN_MODES}
    counts = [f"{mode} {count_noun(len(of), 'run')}" for mode, of in ranks.items()]
    yield f"4 ranks on 2 nodes, by run_mode: {', '.join(counts)}"
    writers = max((len(run.writers) for run in ranks["shared"]), default=0)
    yield f"{count_noun(writers, 'rank')} wrote to one run under 'shared'"


def _page_status(run: RunRecord) -> int:
    """Fetch the page as a browser would, so that a link that leads nowhere shows."""
    try:
        with urllib.request.urlopen(run.url) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def _on_terminal() -> bool:
    """Whether a person can look at a page now and end the demo."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not os.environ.get("CI")


def _serve_pages(console: Console, server: WandbServer) -> None:
    with contextlib.suppress(KeyboardInterrupt, EOFError):
        for run in server.runs:
            console.print(run.url, soft_wrap=True, highlight=False)
        console.print(f"The pages are up at {server.url}", soft_wrap=True)
        if _on_terminal():
            input("Press Enter to end the demo. ")
        else:
            console.print("Press Ctrl-C to end the demo.")
            threading.Event().wait()  # nobody sets it
    console.print("Done. [bold]flyte-wandb server[/] starts an empty server like this one, for your runs.")
