"""`flyte-wandb download`: a run or a sweep into a folder."""

from __future__ import annotations

from pathlib import Path

from flyte_wandb.cli._screen import plain, screen
from flyte_wandb.results._file_names import local_paths
from flyte_wandb.results.downloads._reference import read_reference
from flyte_wandb.results.downloads._resolve import resolve
from flyte_wandb.results.downloads._to_folder import download


def run_download(target: str, *, to: str | None, sweep: bool, no_history: bool, **place: str | None) -> None:
    """Download what somebody names, and print where it went.

    Args:
        target: An id, a path, or the address of a page.
        to: The folder, or None for one that is named after the run or sweep.
        sweep: Whether an id names a sweep.
        no_history: Whether to leave out histories and system metrics.
        place: Project, entity and host, where given.
    """
    kind = read_reference(target, "sweep" if sweep else "run").kind
    reference = resolve(target, kind, place)
    folder = Path(to or local_paths([reference.id])[reference.id])
    runs = download(reference, folder, history=not no_history)
    console = screen()
    for run in runs:
        kept = f", {run.skipped:,} of them there already" if run.skipped else ""
        rows = "" if run.rows is None else f"{_count(run.rows, 'row')}, "
        files = f"{_count(run.files, 'file')} ({_count(run.size, 'byte')}){kept}"
        console.print(f"{plain(run.run_id)}: {rows}{files}", soft_wrap=True)
    console.print(f"{reference.kind} {plain(reference.id)} is in {plain(folder.absolute())}", soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
