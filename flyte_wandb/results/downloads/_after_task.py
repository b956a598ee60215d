"""What `download_logs=True` does once a task has ended: which run or sweep it downloads, and how."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING

from ..._action import current_attempt
from ..._logging import log_once, one_line

# Imported where they are used: every tracked task loads this module, and few download.
if TYPE_CHECKING:
    import wandb

    from flyte_wandb_hookspecs import Plan, Request

    from ...plans._inherited import SweepRef
    from ._reference import Reference


ON_RANKS = (
    "the runs of ranks end one after the other, and Flyte runs no code of the task after the last one; download "
    "them in the next task, with download_wandb_run_logs(...) for each run"
)
"""Why a distributed task cannot download, and what to do."""


def find_run_to_download(request: Request, plan: Plan, run: wandb.Run) -> Reference | None:
    """Return the run that a task has finished and is to download, or None."""
    if not request.settings.download_logs or not plan.role.owns:
        return None
    if request.topology.distributed:
        log_once(
            f"download_logs has no effect on the ranks of {request.task_name or request.action_name!r}: {ON_RANKS}"
        )
        return None
    if run.offline or run.disabled:
        log_once(f"nothing to download for the run {run.id!r}: W&B is {'disabled' if run.disabled else 'offline'}")
        return None
    from ...plans._plan import run_place
    from ._reference import Reference

    return Reference(id=run.id, project=run.project, entity=run.entity, host=run_place(request, plan).host)


def reference_of_sweep(sweep: SweepRef) -> Reference:
    """Return the reference of a sweep in Flyte's context."""
    from ._reference import Reference

    return Reference(id=sweep.sweep_id, project=sweep.project, entity=sweep.entity, host=sweep.host, kind="sweep")


_LOG = logging.getLogger("flyte_wandb")


def download_after_task(reference: Reference) -> None:
    """Download a run or sweep as a step of the running task. Blocks.

    Never raises an exception: the task's result is there already. A failure is one logged error, with the page of the
    run and the command that fetches it later.

    Args:
        reference: The run, which has ended, or the sweep.
    """
    try:
        from ._to_storage import download_to_storage

        folder = download_to_storage(reference, attempt=current_attempt())
    except Exception as error:
        _log_failure(reference, error)
    else:
        _LOG.info("downloaded %s to %s", reference, folder.path)


async def download_after_task_async(reference: Reference) -> None:
    """Download as `download_after_task` does, and leave the event loop free meanwhile. Raises only a cancellation.

    Args:
        reference: The run, which has ended, or the sweep.
    """
    try:
        # In a thread, because requests and Flyte's storage take long enough to import to be felt on the loop.
        to_storage = await asyncio.to_thread(import_module, "flyte_wandb.results.downloads._to_storage")
        folder = await to_storage.download_to_storage_async(reference, attempt=current_attempt())
    except Exception as error:
        _log_failure(reference, error)
    else:
        _LOG.info("downloaded %s to %s", reference, folder.path)


def _log_failure(reference: Reference, error: Exception) -> None:
    command = f"flyte-wandb download {reference.path}{' --sweep' if reference.kind == 'sweep' else ''}"
    host = f" --host {reference.host}" if reference.host else ""
    _LOG.error(
        "%s was not downloaded after its task (the result is not affected): %s; download it later with `%s%s`",
        reference,
        one_line(error),
        command,
        host,
    )
