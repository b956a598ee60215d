"""What the decorators do with `download_logs` after a task: its run, or its sweep, goes to Flyte's storage."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING

from ..._attempts import attempt_here
from ..._logging import one_line

if TYPE_CHECKING:
    from ._reference import Reference

_LOG = logging.getLogger("flyte_wandb")


def bring_home(reference: Reference) -> None:
    """Download a run or sweep as a step of the running task, untraced where Flyte has no controller. Blocks.

    Never raises an exception: the task's result is there already. What went wrong is one logged error, with the page of
    the run and the command that fetches it later.

    Args:
        reference: The run, which has ended, or the sweep.
    """
    try:
        from ._to_storage import bring

        home = bring(reference, attempt=attempt_here())
    except Exception as error:
        _tell(reference, error)
    else:
        _LOG.info("downloaded %s to %s", reference, home.path)


async def bring_home_async(reference: Reference) -> None:
    """Do what `bring_home` does, and leave the event loop free meanwhile. Only its cancellation is raised.

    Args:
        reference: The run, which has ended, or the sweep.
    """
    try:
        logs = await asyncio.to_thread(import_module, "flyte_wandb.results.downloads._to_storage")
        home = await logs.bring_async(reference, attempt=attempt_here())
    except Exception as error:
        _tell(reference, error)
    else:
        _LOG.info("downloaded %s to %s", reference, home.path)


def _tell(reference: Reference, error: Exception) -> None:
    command = f"flyte-wandb download {reference.path}{' --sweep' if reference.kind == 'sweep' else ''}"
    host = f" --host {reference.host}" if reference.host else ""
    _LOG.error(
        "%s was not downloaded after its task, whose result is not touched by this: %s; fetch it later with `%s%s`",
        reference,
        one_line(error),
        command,
        host,
    )
