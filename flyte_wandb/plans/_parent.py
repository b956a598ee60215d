"""The identity of the nearest tracked run, as it travels from task to task in Flyte's context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte_wandb_hookspecs import ParentRun

from ..settings._records import read, written

RUN_ID_KEY: Final = "_wandb_run_id"
RUN_KEY: Final = "_wandb_run"


def written_run(run: ParentRun) -> dict[str, str]:
    """Write the identity of a run for the tasks below it."""
    return {RUN_ID_KEY: run.run_id, **written(RUN_KEY, run)}


def read_run(context: Mapping[str, str]) -> ParentRun | None:
    """Read the nearest tracked run above, or None. A bare ``_wandb_run_id`` is enough.

    >>> read_run(written_run(ParentRun(run_id="r1-a0", joinable=False))).joinable
    False
    """
    run_id = context.get(RUN_ID_KEY)
    return read(context, RUN_KEY, ParentRun, "run", run_id=run_id) if run_id else None
