"""`flyte-wandb download`: a run or a sweep into a folder."""

from __future__ import annotations

from pathlib import Path

import click

from flyte_wandb._logging import count_noun
from flyte_wandb.cli._screen import cell_text, get_console
from flyte_wandb.results._file_names import assign_local_paths
from flyte_wandb.results.downloads._reference import read_reference
from flyte_wandb.results.downloads._resolve import resolve_reference
from flyte_wandb.results.downloads._run import FetchedRun
from flyte_wandb.results.downloads._to_folder import download_to_folder


def show_download(
    target: str,
    *,
    to: str | None,
    sweep: bool,
    no_history: bool,
    artifacts: bool | None,
    artifact: tuple[str, ...],
    **place: str | None,
) -> None:
    """Download a run or the runs of a sweep, and print where they went.

    Args:
        target: An id, a path, or the address of a page.
        to: The folder, or None for one that is named after the run or sweep.
        sweep: Whether an id is a sweep's, where `target` does not say it.
        no_history: Whether to leave out histories and system metrics.
        artifacts: Whether to fetch all artifacts, or none; None for as many as the bound allows.
        artifact: Names of the artifacts to fetch; where empty, see `artifacts`.
        place: Project, entity and host, where given.
    """
    kind = read_reference(target, "sweep" if sweep else "run").kind
    if artifact and artifacts is not None:
        raise click.UsageError("--artifact NAME goes with neither --artifacts nor --no-artifacts")
    reference = resolve_reference(target, kind, place)
    # An id from a page's address may be "..", so it becomes a safe name first.
    folder = Path(to or assign_local_paths([reference.id])[reference.id])
    runs = download_to_folder(reference, folder, history=not no_history, artifacts=artifact or artifacts)
    console = get_console()
    for run in runs:
        console.print(f"{cell_text(run.run_id)}: {_counts_text(run)}", soft_wrap=True)
    console.print(f"{reference.kind} {cell_text(reference.id)} is in {cell_text(folder.absolute())}", soft_wrap=True)


def _counts_text(run: FetchedRun) -> str:
    """Say how much of a run is here."""
    parts = [] if run.rows is None else [count_noun(run.rows, "row")]
    parts.append(f"{count_noun(run.files, 'file')} ({count_noun(run.size, 'byte')})")
    if run.artifacts:
        files = f"{count_noun(run.artifact_files, 'file')}, {count_noun(run.artifact_size, 'byte')}"
        parts.append(f"{count_noun(run.artifacts, 'artifact')} ({files})")
    if run.skipped:
        parts.append(f"{run.skipped:,} of them there already")
    return ", ".join(parts)
