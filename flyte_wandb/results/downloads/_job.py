"""A download from its start to its end: a server, threads, connections, and what is told of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..._errors import DownloadError, FlyteWandbError
from ..._logging import one_line
from ...wandb_client._reader import Access, Bounds, Reader, RemoteRun
from .._file_names import assign_local_paths
from .._progress import Watch
from .._workers import Stop, Workers
from ._limits import FIRST_WAIT, LONGEST_WAIT, DownloadLimits, read_limits
from ._reference import Reference
from ._run import DownloadContext, FetchedRun, fetch_run
from ._transfer import Transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be downloaded, and to where.

    Attributes:
        reference: A run, or a sweep.
        folder: The folder of the run, or that in which each run of the sweep gets one by its id.
        history: Whether to fetch histories and system metrics.
    """

    reference: Reference
    folder: Path
    history: bool = True


def temporary_folder(kind: str) -> Path:
    """Make a folder that nobody can guess and nobody else can read."""
    return Path(tempfile.mkdtemp(prefix=f"wandb-{kind}-"))


def run_download(job: Job, watch: Watch, stop: Stop) -> list[FetchedRun]:
    """Download a run, or all runs of a sweep, several at a time. Blocks.

    Returns:
        The runs, in the order of the sweep.

    Raises:
        DownloadError: Something could not be had; all else has been fetched.
        StoppedError: It was stopped.
    """
    bounds = read_limits(os.environ)
    try:
        with Workers(bounds.at_once, stop) as workers:
            (found,) = workers.results([workers.submit(partial(_find_runs, job.reference, bounds))])
            if isinstance(found, Exception):
                raise _as_download_error(job.reference, found) from found
            access, runs = found
            with Transfers(access, bounds, stop) as transfers:
                tools = DownloadContext(workers=workers, transfers=transfers, stop=stop, watch=watch)
                return _fetch_runs(job, runs, tools, bounds)
    except BaseException:
        stop.set()
        raise


def _fetch_runs(
    job: Job, runs: Sequence[RemoteRun], tools: DownloadContext, bounds: DownloadLimits
) -> list[FetchedRun]:
    if job.reference.kind == "run":
        return [fetch_run(runs[0], job.folder, tools, history=job.history)]
    folders = assign_local_paths(run.id for run in runs)
    calls = [partial(fetch_run, run, job.folder / folders[run.id], tools, history=job.history) for run in runs]
    with Workers(bounds.at_once, tools.stop) as overseers:
        results = overseers.results([overseers.submit(call) for call in calls])
    failures = [result for result in results if isinstance(result, Exception)]
    if failures:
        raise DownloadError(
            f"{len(failures)} of {len(runs)} runs of {job.reference} have failed; the first one: "
            f"{one_line(failures[0])}"
        ) from failures[0]
    return [result for result in results if isinstance(result, FetchedRun)]


def _find_runs(reference: Reference, bounds: DownloadLimits) -> tuple[Access, list[RemoteRun]]:
    asked = Bounds(
        retries=len(list(bounds.waits())),
        first_wait=FIRST_WAIT,
        longest_wait=LONGEST_WAIT,
        patience=bounds.patience,
        at_once=bounds.at_once,
    )
    reader = Reader(reference.place, asked)
    found = reader.runs_of_sweep(reference.id) if reference.kind == "sweep" else [reader.run(reference.id)]
    return reader.access, found


def _as_download_error(reference: Reference, error: Exception) -> Exception:
    """Say what went wrong before there was anything to download."""
    if isinstance(error, FlyteWandbError):
        return error
    if isinstance(error, LookupError):
        return DownloadError(
            f"W&B does not know {reference}, or does not show it to you; check id, project and entity, and the key"
        )
    return DownloadError(
        f"{reference} was not downloaded: W&B did not answer as it should: {one_line(error)}; check host, key and "
        "network"
    )
