"""Downloads into folders, for code that may block."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from ..._errors import DownloadError
from .._progress import watch_progress
from .._workers import Stop, warn_if_on_event_loop
from ._artifacts import ArtifactChoice, read_choice
from ._job import Job, run_download, temporary_folder
from ._reference import Reference
from ._resolve import resolve_reference
from ._run import FetchedRun

_LOG = logging.getLogger("flyte_wandb")


def download_wandb_run_dir(
    run_id: str | None = None,
    path: str | os.PathLike[str] | None = None,
    include_history: bool = True,
    *,
    include_artifacts: bool | Sequence[str] | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> str:
    """Download a run from W&B: its metadata, config, summary, every row of its history, every file, and artifacts.

    Files that are complete in the folder are skipped, so you can repeat an interrupted call. Blocks; on an event loop
    use `download_wandb_run_logs`, or `asyncio.to_thread`.

    Args:
        run_id: The run's id, ``entity/project/id``, or the address of its page. None is the run of this task, else the
            run of the task above.
        path: The folder to fill. None is a new temporary folder that only its owner can read.
        include_history: Whether to download the history and the system metrics.
        include_artifacts: Which of the run's logged artifacts to download: all, none, or those with these names
            (``"model"``, ``"model:v3"``, ``"model:best"``). None downloads the newest, up to 1 GiB per run
            (``FLYTE_WANDB_DOWNLOAD_ARTIFACTS_GIB``), and names the others in one warning.
        project: The run's project. If None, the first match wins: `run_id`, the current run if it has this id, the
            settings in Flyte's context, and W&B's own configuration. The same applies to entity and host.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folder. It has ``run.json``, ``config.json``, ``summary.json``, ``history.jsonl``, ``system_metrics.jsonl``,
        ``files/``, ``artifacts.json`` and ``artifacts/NAME/VERSION/``.

    Raises:
        DownloadError: The run is unknown, offline or disabled, there is no key, or something could not be downloaded.
            Everything else has been downloaded then.

    Example::

        folder = download_wandb_run_dir("team/vision/r1-a0", path="results")
    """
    warn_if_on_event_loop("download_wandb_run_dir", "download_wandb_run_logs")
    reference = resolve_reference(run_id, "run", {"project": project, "entity": entity, "host": host})
    artifacts = read_choice(include_artifacts)
    (fetched,) = download_to_folder(reference, path, history=include_history, artifacts=artifacts)
    return str(fetched.folder)


def download_wandb_sweep_dirs(
    sweep_id: str | None = None,
    base_path: str | os.PathLike[str] | None = None,
    include_history: bool = True,
    *,
    include_artifacts: bool | Sequence[str] | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> list[str]:
    """Download the runs of a sweep from W&B, each like `download_wandb_run_dir`, several at a time.

    Args:
        sweep_id: The sweep's id, ``entity/project/id``, or the address of its page. None is the sweep of this task, or
            of one above.
        base_path: The folder in which each run gets a folder, named by its id. None is a new temporary folder.
        include_history: See `download_wandb_run_dir`.
        include_artifacts: See `download_wandb_run_dir`.
        project: See `download_wandb_run_dir`. Settings of `wandb_sweep_config` override those of `wandb_config`.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folders, in the order in which the runs were created. A run that could not be downloaded completely is left
        out, and one warning in the log names it.

    Raises:
        DownloadError: The sweep is unknown, there is no key, or no run could be downloaded.

    Example::

        folders = download_wandb_sweep_dirs("https://wandb.example.com/team/vision/sweeps/s1")
    """
    warn_if_on_event_loop("download_wandb_sweep_dirs", "download_wandb_sweep_logs")
    reference = resolve_reference(sweep_id, "sweep", {"project": project, "entity": entity, "host": host})
    artifacts = read_choice(include_artifacts)
    try:
        runs = download_to_folder(reference, base_path, history=include_history, artifacts=artifacts)
    except DownloadError as error:
        if not error.downloaded:
            raise
        _LOG.warning("%s; the others are in %s", error, Path(error.downloaded[0]).parent)
        return list(error.downloaded)
    return [str(fetched.folder) for fetched in runs]


def download_to_folder(
    reference: Reference, path: str | os.PathLike[str] | None, *, history: bool, artifacts: ArtifactChoice
) -> list[FetchedRun]:
    """Download a run or a sweep, with a bar in a terminal. Blocks.

    Args:
        reference: The run or sweep.
        path: The folder, or None for a temporary one.
        history: Whether to fetch histories and system metrics.
        artifacts: Which artifacts to fetch.

    Raises:
        DownloadError: See `download_wandb_run_dir`.
    """
    folder = temporary_folder(reference.kind) if path is None else Path(path).absolute()
    _LOG.info("downloading %s to %s", reference, folder)
    with watch_progress(f"{reference.kind} {reference.id}") as watch:
        # Nobody sets this stop but an exception here, such as Ctrl-C.
        job = Job(reference=reference, folder=folder, history=history, artifacts=artifacts)
        runs = run_download(job, watch, Stop())
    _LOG.info("downloaded %s: %d runs, %d files", reference, len(runs), sum(run.files for run in runs))
    return runs
