"""Which runs and sweeps are downloaded after a task: those of its own, where `download_logs` asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._logging import say_once

if TYPE_CHECKING:
    import wandb

    from flyte_wandb_hookspecs import Plan, Request

    from ...plans._sweep_ref import SweepRef
    from ._reference import Reference

ON_RANKS = (
    "the runs of ranks end one after the other, and Flyte runs nothing of the task after the last one; fetch them in a "
    "task that follows, with download_wandb_run_logs(...) for each run"
)
"""Why a distributed task cannot download, and what to do."""


def run_to_download(request: Request, plan: Plan, run: wandb.Run) -> Reference | None:
    """Return the run that a task has finished and is to download, or None."""
    if not request.settings.download_logs or not plan.role.owns:
        return None
    if request.topology.distributed:
        say_once(
            f"download_logs has no effect on the ranks of {request.task_name or request.action_name!r}: {ON_RANKS}"
        )
        return None
    if run.offline or run.disabled:
        say_once(
            f"there is nothing to download of the run {run.id!r}: W&B is {'disabled' if run.disabled else 'offline'}"
        )
        return None
    from ...plans._place import place
    from ._reference import Reference

    return Reference(id=run.id, project=run.project, entity=run.entity, host=place(request, plan).host)


def sweep_to_download(sweep: SweepRef) -> Reference:
    """Return a sweep as it is downloaded."""
    from ._reference import Reference

    return Reference(id=sweep.sweep_id, project=sweep.project, entity=sweep.entity, host=sweep.host, kind="sweep")
