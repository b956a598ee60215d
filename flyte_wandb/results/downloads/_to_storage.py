"""Downloads into Flyte's storage. Each is a step in Flyte's UI, where Flyte has a controller that records steps."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import flyte
import flyte.storage
from flyte.io import Dir

from ..._action import current_attempt
from ..._errors import DownloadError
from .._progress import Silent
from .._workers import Stop, run_in_thread
from ._artifacts import ArtifactChoice, read_choice
from ._folder import OWN_FOLDER
from ._job import Job, run_download, temporary_folder
from ._reference import Kind, Reference, read_reference
from ._resolve import resolve_reference

_LOG = logging.getLogger("flyte_wandb")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landing:
    """Where a download goes: to a local folder, and from there to Flyte's storage if that is remote."""

    local: Path
    remote: str | None = None


async def download_wandb_run_logs(
    run_id: str | None = None,
    *,
    include_artifacts: bool | Sequence[str] | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> Dir:
    """Download a run from W&B into Flyte's storage, without blocking the event loop.

    Inside a task it is a separate step in Flyte's UI, and a retry does not repeat it. Cancel the coroutine to stop it.

    Args:
        run_id: See `download_wandb_run_dir`, also for the other arguments.
        include_artifacts: Which artifacts to download.
        project: The run's project.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folder, as `download_wandb_run_dir` fills it. A task can return it.

    Raises:
        DownloadError: See `download_wandb_run_dir`.

    Example::

        @env.task
        async def results() -> flyte.io.Dir:
            return await download_wandb_run_logs("team/vision/r1-a0")
    """
    artifacts = read_choice(include_artifacts)
    return await _download_logs("run", run_id, artifacts, project=project, entity=entity, host=host)


async def download_wandb_sweep_logs(
    sweep_id: str | None = None,
    *,
    include_artifacts: bool | Sequence[str] | None = None,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> Dir:
    """Download the runs of a sweep from W&B into Flyte's storage, like `download_wandb_run_logs`.

    Args:
        sweep_id: See `download_wandb_sweep_dirs`, also for the other arguments.
        include_artifacts: Which artifacts to download.
        project: The sweep's project.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folder. Each run has a folder in it, named by its id. A run that could not be downloaded completely is left
        out, and one warning in the log names it.

    Raises:
        DownloadError: See `download_wandb_sweep_dirs`.
    """
    artifacts = read_choice(include_artifacts)
    return await _download_logs("sweep", sweep_id, artifacts, project=project, entity=entity, host=host)


async def _download_logs(kind: Kind, text: str | None, artifacts: ArtifactChoice, **arguments: str | None) -> Dir:
    reference = await asyncio.to_thread(resolve_reference, text, kind, arguments)
    return await download_to_storage_async(reference, attempt=0 if text else current_attempt(), artifacts=artifacts)


def download_to_storage(reference: Reference, *, attempt: int) -> Dir:
    """Download a run or sweep into Flyte's storage, as a step of the running task. Blocks.

    Args:
        reference: The run or sweep.
        attempt: Number of the attempt if it is the action's own run, else 0. Flyte gives a retry what the same step has
            returned before; with its attempt among the arguments, the step of an own run is another one each time.

    Raises:
        DownloadError: Something could not be fetched.
    """
    step, calls = _record_calls(wandb_logs)
    arguments = (reference.kind, reference.path, reference.host or "", attempt)
    try:
        return cast("Dir", flyte.trace(step)(*arguments))
    except Exception:
        # Only what failed before the step began is Flyte's: it cannot trace where it has no controller (2.12.1).
        if calls:
            raise
        return wandb_logs(*arguments)


async def download_to_storage_async(reference: Reference, *, attempt: int, artifacts: ArtifactChoice = None) -> Dir:
    """Download a run or sweep as `download_to_storage` does, and leave the event loop free meanwhile."""
    step, calls = _record_calls(wandb_logs_async)
    arguments = (reference.kind, reference.path, reference.host or "", attempt, json.dumps(artifacts))
    try:
        return cast("Dir", await flyte.trace(step)(*arguments))
    except Exception:
        if calls:
            raise
        return await wandb_logs_async(*arguments)


def _record_calls(step: Callable[..., Any]) -> tuple[Callable[..., Any], list[bool]]:
    """Return a function that calls `step`, and a list that is empty until it was called."""
    calls: list[bool] = []

    @functools.wraps(step)
    def recorded(*arguments: Any) -> Any:
        calls.append(True)
        return step(*arguments)

    @functools.wraps(step)
    async def recorded_async(*arguments: Any) -> Any:
        calls.append(True)
        return await step(*arguments)

    return (recorded_async if inspect.iscoroutinefunction(step) else recorded), calls


# No underscore, because Flyte's UI shows the name. Flyte knows a repeated step by its inputs: texts and a number.
def wandb_logs(kind: str, path: str, host: str, attempt: int) -> Dir:
    """Download a run or the runs of a sweep: the step that Flyte's UI shows."""
    landing = _choose_landing(kind)
    error = _fill_landing(_build_job(kind, path, host, landing), Stop())
    try:
        folder = Dir.from_local_sync(landing.local, remote_destination=landing.remote)
        _warn_of_missing_runs(error, folder)
        return folder
    finally:
        _remove_landing(landing)


async def wandb_logs_async(kind: str, path: str, host: str, attempt: int, artifacts: str) -> Dir:
    """Download a run or the runs of a sweep, beside the event loop: the step that Flyte's UI shows."""
    landing = _choose_landing(kind)
    errors: list[DownloadError | None] = []
    job = replace(_build_job(kind, path, host, landing), artifacts=read_choice(json.loads(artifacts)))
    await run_in_thread(lambda stop: errors.append(_fill_landing(job, stop)))
    try:
        folder = await Dir.from_local(landing.local, remote_destination=landing.remote)
        _warn_of_missing_runs(errors[0], folder)
        return folder
    finally:
        await asyncio.to_thread(_remove_landing, landing)


def _choose_landing(kind: str) -> _Landing:
    """Choose where a download goes. If Flyte's storage is local, it goes there at once and is not copied."""
    context = flyte.ctx()
    if not context:
        return _Landing(local=temporary_folder(kind))
    # Flyte's own random names repeat themselves in a task that seeds the random numbers.
    storage, name = context.raw_data_path.path, f"wandb-{kind}-{uuid.uuid4().hex}"
    if flyte.storage.is_remote(storage):
        return _Landing(local=temporary_folder(kind), remote=f"{storage.rstrip('/')}/{name}")
    local = Path(storage.removeprefix("file://")) / name
    # For its owner alone, as `mkdtemp` has it: local storage is usually below /tmp.
    local.mkdir(mode=0o700, parents=True)
    return _Landing(local=local)


def _build_job(kind: str, path: str, host: str, landing: _Landing) -> Job:
    reference = read_reference(path, "sweep" if kind == "sweep" else "run")
    lasting = landing.remote is None
    return Job(reference=replace(reference, host=host or None), folder=landing.local, lasting=lasting)


def _warn_of_missing_runs(error: DownloadError | None, folder: Dir) -> None:
    if error:
        _LOG.warning("%s; the others are in %s", error, folder.path)


def _fill_landing(job: Job, stop: Stop) -> DownloadError | None:
    """Download into the landing, and return why runs of a sweep are missing in it, or None.

    Raises:
        DownloadError: Nothing was downloaded.
        StoppedError: It was stopped.
    """
    try:
        runs = [run.folder for run in run_download(job, Silent(), stop)]
    except DownloadError as error:
        if not error.downloaded:
            shutil.rmtree(job.folder, ignore_errors=True)
            raise
        _remove_incomplete(job.folder, error.downloaded)
        return error
    except BaseException:
        # Nobody knows this folder, so no later call goes on with it.
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    # Journal and lock are of no use in Flyte's storage, where nothing is changed any more.
    for run in runs:
        shutil.rmtree(run / OWN_FOLDER)
    return None


def _remove_incomplete(folder: Path, downloaded: Collection[str]) -> None:
    """Remove the runs that are not whole, from which nobody could tell them, and what only another call would need."""
    for run in folder.iterdir():
        shutil.rmtree(run / OWN_FOLDER if str(run) in downloaded else run, ignore_errors=True)


def _remove_landing(landing: _Landing) -> None:
    """Remove the local folder, unless it is in Flyte's storage."""
    if landing.remote:
        shutil.rmtree(landing.local, ignore_errors=True)
