"""Downloads into Flyte's storage: steps that Flyte's UI shows, where there is a controller that records them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import flyte
import flyte.storage
from flyte.io import Dir

from ..._action import current_attempt
from .._progress import Silent
from .._workers import Stop, run_in_thread
from ._folder import OWN_FOLDER
from ._job import Job, run_download, temporary_folder
from ._reference import Kind, Reference, read_reference
from ._resolve import resolve_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landing:
    """Where a download goes: to a local folder, and from there to Flyte's storage where that is elsewhere."""

    local: Path
    remote: str | None = None


async def download_wandb_run_logs(
    run_id: str | None = None,
    *,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> Dir:
    """Download all that W&B has of a run into Flyte's storage, and leave the event loop free meanwhile.

    Inside a task it is a step of its own in Flyte's UI, which a retry does not repeat. Cancelling it stops it.

    Args:
        run_id: See `download_wandb_run_dir`, like the others.
        project: The run's project.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folder, which a task can return, with the layout of `download_wandb_run_dir`.

    Raises:
        DownloadError: See `download_wandb_run_dir`.

    Example::

        @env.task
        async def results() -> flyte.io.Dir:
            return await download_wandb_run_logs("team/vision/r1-a0")
    """
    return await _download_logs("run", run_id, project=project, entity=entity, host=host)


async def download_wandb_sweep_logs(
    sweep_id: str | None = None,
    *,
    project: str | None = None,
    entity: str | None = None,
    host: str | None = None,
) -> Dir:
    """Download all that W&B has of the runs of a sweep into Flyte's storage, as `download_wandb_run_logs` does.

    Args:
        sweep_id: See `download_wandb_sweep_dirs`, like the others.
        project: The sweep's project.
        entity: The user or team that owns the project.
        host: Base URL of the W&B server.

    Returns:
        The folder, in which each run has one, by its id.

    Raises:
        DownloadError: See `download_wandb_sweep_dirs`.
    """
    return await _download_logs("sweep", sweep_id, project=project, entity=entity, host=host)


async def _download_logs(kind: Kind, text: str | None, **given: str | None) -> Dir:
    reference = await asyncio.to_thread(resolve_reference, text, kind, given)
    return await download_to_storage_async(reference, attempt=0 if text else current_attempt())


def download_to_storage(reference: Reference, *, attempt: int) -> Dir:
    """Download a run or sweep into Flyte's storage, as a step of the running task. Blocks.

    Args:
        reference: Which.
        attempt: Number of the attempt where it is the action's own run, else 0. Flyte gives a retry what the same step
            has returned before, and an own run has gone on since then.

    Raises:
        DownloadError: Something could not be had.
    """
    step, started = _note_calls(wandb_logs)
    arguments = (reference.kind, reference.path, reference.host or "", attempt)
    try:
        return cast("Dir", flyte.trace(step)(*arguments))
    except Exception:
        if started:
            raise
        return wandb_logs(*arguments)


async def download_to_storage_async(reference: Reference, *, attempt: int) -> Dir:
    """Download a run or sweep as `download_to_storage` does, and leave the event loop free meanwhile."""
    step, started = _note_calls(wandb_logs_async)
    arguments = (reference.kind, reference.path, reference.host or "", attempt)
    try:
        return cast("Dir", await flyte.trace(step)(*arguments))
    except Exception:
        if started:
            raise
        return await wandb_logs_async(*arguments)


def _note_calls(step: Callable[..., Any]) -> tuple[Callable[..., Any], list[bool]]:
    """Have a function note that it is called. Where Flyte cannot trace, such as in a rank, it never is."""
    started: list[bool] = []

    @functools.wraps(step)
    def noted(*arguments: Any) -> Any:
        started.append(True)
        return step(*arguments)

    @functools.wraps(step)
    async def noted_async(*arguments: Any) -> Any:
        started.append(True)
        return await step(*arguments)

    return (noted_async if inspect.iscoroutinefunction(step) else noted), started


def wandb_logs(kind: str, path: str, host: str, attempt: int) -> Dir:
    """Download a run or the runs of a sweep: the step that Flyte's UI shows."""
    landing = _choose_landing(kind)
    _fill_landing(_build_job(kind, path, host, landing), Stop())
    try:
        return Dir.from_local_sync(landing.local, remote_destination=landing.remote)
    finally:
        _remove_landing(landing)


async def wandb_logs_async(kind: str, path: str, host: str, attempt: int) -> Dir:
    """Download a run or the runs of a sweep, beside the event loop: the step that Flyte's UI shows."""
    landing = _choose_landing(kind)
    await run_in_thread(partial(_fill_landing, _build_job(kind, path, host, landing)))
    try:
        return await Dir.from_local(landing.local, remote_destination=landing.remote)
    finally:
        await asyncio.to_thread(_remove_landing, landing)


def _choose_landing(kind: str) -> _Landing:
    """Choose where a download goes: what is in local storage already need not be copied there."""
    context = flyte.ctx()
    if not context:
        return _Landing(local=temporary_folder(kind))
    # Flyte's own random names repeat themselves in a task that seeds the random numbers.
    storage, name = context.raw_data_path.path, f"wandb-{kind}-{uuid.uuid4().hex}"
    if flyte.storage.is_remote(storage):
        return _Landing(local=temporary_folder(kind), remote=f"{storage.rstrip('/')}/{name}")
    local = Path(storage.removeprefix("file://")) / name
    local.mkdir(mode=0o700, parents=True)
    return _Landing(local=local)


def _build_job(kind: str, path: str, host: str, landing: _Landing) -> Job:
    named = read_reference(path, "sweep" if kind == "sweep" else "run")
    return Job(reference=replace(named, host=host or None), folder=landing.local)


def _fill_landing(job: Job, stop: Stop) -> None:
    try:
        fetched = run_download(job, Silent(), stop)
    except BaseException:
        shutil.rmtree(job.folder, ignore_errors=True)
        raise
    for run in fetched:
        shutil.rmtree(run.folder / OWN_FOLDER)


def _remove_landing(landing: _Landing) -> None:
    """Remove the local folder, where it is none of Flyte's storage."""
    if landing.remote:
        shutil.rmtree(landing.local, ignore_errors=True)
