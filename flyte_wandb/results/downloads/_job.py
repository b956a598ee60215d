"""A download from its start to its end: its server, threads and connections, and the error that it ends with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..._errors import DownloadError, FlyteWandbError
from ..._logging import one_line
from ...wandb_client._reader import Access, Bounds, Reader, RemoteRun, UnknownToServerError
from .._file_names import assign_local_paths
from .._progress import Watch
from .._workers import Stop, StoppedError, Workers
from ._artifacts import ArtifactChoice
from ._fetcher import DownloadContext
from ._limits import FIRST_WAIT, LONGEST_WAIT, DownloadLimits, read_limits
from ._reference import Reference
from ._run import MOST_NAMED, FetchedRun, fetch_run, name_failures
from ._transfer import Transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to download, and where to.

    Attributes:
        reference: A run, or a sweep.
        folder: The folder of the run. For a sweep, each run gets a folder in it, by its id.
        history: Whether to fetch histories and system metrics.
        artifacts: Which artifacts to fetch.
        lasting: Whether the folder stays, so that another call can fetch more into it.
    """

    reference: Reference
    folder: Path
    history: bool = True
    artifacts: ArtifactChoice = None
    lasting: bool = True


def temporary_folder(kind: str) -> Path:
    """Make a folder that nobody can guess and nobody else can read."""
    # `mkdtemp` gives it mode 0700, which a plain `mkdir` in a shared /tmp does not.
    return Path(tempfile.mkdtemp(prefix=f"wandb-{kind}-"))


def run_download(job: Job, watch: Watch, stop: Stop) -> list[FetchedRun]:
    """Download a run, or all runs of a sweep, several at a time. Blocks.

    Returns:
        The runs, in the order of the sweep.

    Raises:
        DownloadError: Something could not be had; all else has been fetched.
        StoppedError: It was stopped.
    """
    limits = read_limits(os.environ)
    try:
        with Workers(limits.at_once, stop) as workers:
            # By a worker as well: this thread has to see a stop while the server is silent.
            (outcome,) = workers.results([workers.submit(partial(_find_runs, job.reference, limits))])
            if isinstance(outcome, Exception):
                raise _as_download_error(job.reference, outcome) from outcome
            access, runs = outcome
            with Transfers(access, limits, stop) as transfers:
                context = DownloadContext(
                    workers=workers,
                    transfers=transfers,
                    stop=stop,
                    watch=watch,
                    artifact_bytes=limits.artifact_bytes,
                    lasting=job.lasting,
                )
                return _fetch_runs(job, runs, context, limits)
    except BaseException:
        # Whatever ended it, such as Ctrl-C, ends its threads too: they are daemons and would go on downloading.
        stop.set()
        raise


def _fetch_runs(
    job: Job, runs: Sequence[RemoteRun], context: DownloadContext, limits: DownloadLimits
) -> list[FetchedRun]:
    if job.reference.kind == "run":
        return [_fetch_run(runs[0], job, context)]
    folders = assign_local_paths(run.id for run in runs)
    calls = [
        partial(fetch_run, run, job.folder / folders[run.id], context, history=job.history, artifacts=job.artifacts)
        for run in runs
    ]
    # Threads of their own: each waits for calls that the workers make, and would keep a worker from making them.
    with Workers(limits.at_once, context.stop) as overseers:
        results = overseers.results([overseers.submit(call) for call in calls])
    fetched = [result for result in results if isinstance(result, FetchedRun)]
    failures = {run.id: result for run, result in zip(runs, results, strict=True) if isinstance(result, Exception)}
    if failures:
        reasons = name_failures(failures)
        more = f"; and {len(reasons) - MOST_NAMED} more" if len(reasons) > MOST_NAMED else ""
        raise DownloadError(
            f"{len(failures)} of {len(runs)} runs of {job.reference} were not downloaded: "
            f"{'; '.join(reasons[:MOST_NAMED])}{more}",
            downloaded=[str(run.folder) for run in fetched],
        ) from next(iter(failures.values()))
    return fetched


def _fetch_run(run: RemoteRun, job: Job, context: DownloadContext) -> FetchedRun:
    try:
        return fetch_run(run, job.folder, context, history=job.history, artifacts=job.artifacts)
    except (FlyteWandbError, StoppedError, OSError):
        raise
    except Exception as error:  # an answer that has other types than W&B's, or not all of it
        raise _as_download_error(job.reference, error) from error


def _find_runs(reference: Reference, limits: DownloadLimits) -> tuple[Access, list[RemoteRun]]:
    # W&B's client counts its tries, and we bound their time: so many tries as fit into it.
    bounds = Bounds(
        retries=len(list(limits.waits())),
        first_wait=FIRST_WAIT,
        longest_wait=LONGEST_WAIT,
        patience=limits.patience,
        at_once=limits.at_once,
    )
    reader = Reader(reference.place, bounds)
    runs = reader.runs_of_sweep(reference.id) if reference.kind == "sweep" else [reader.run(reference.id)]
    return reader.access, runs


def _as_download_error(reference: Reference, error: Exception) -> Exception:
    """Return the error for what went wrong before there was anything to download."""
    if isinstance(error, FlyteWandbError):
        return error
    # The reader raises it where the server answers that there is no such run.
    if isinstance(error, UnknownToServerError):
        return DownloadError(
            f"W&B does not know {reference}, or does not show it to you; check id, project and entity, and the key"
        )
    return DownloadError(
        f"{reference} was not downloaded: W&B did not answer as expected: {type(error).__name__}: {one_line(error)}; "
        "check host, key and network"
    )
