"""The one place that touches Flyte's report: it puts a tab there and flushes it."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ..._logging import one_line
from ...links._link import NAME
from ...runs._current import RunEnd, TrackedCall

_LOG: Final = logging.getLogger("flyte_wandb")


def add_tab(tracked: TrackedCall, error: BaseException | None, ended: RunEnd) -> None:
    """Put the tab into the report of the running task, and write the report. Blocks, and never raises.

    All ranks of a task have one report. Rank 0 writes it.

    Args:
        tracked: The function that has ended.
        error: What it has raised, or None.
        ended: What became of its run.
    """
    if tracked.action is None or tracked.request.topology.rank != 0:
        return
    try:
        import flyte.report

        from ._page import build_page

        flyte.report.get_tab(NAME).log(build_page(tracked, error, ended))
        # Flyte writes the report itself at the end of a task, but never where the task fails (2.12.1).
        if not _inside_loop():
            flyte.report.flush()
    except Exception as failure:
        _LOG.warning(
            "the tab %r of action %s is missing in Flyte's report: %s", NAME, tracked.action.name, one_line(failure)
        )


def _inside_loop() -> bool:
    """Whether an event loop waits for this very call, so that Flyte cannot write the report before the call is over.

    Flyte's local mode calls the function of an Elastic task like this.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
