"""What a task's code asks: its run, the run's folder, its place in the world. Imports the session when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._logging import log_once

if TYPE_CHECKING:
    import wandb


def get_wandb_run() -> wandb.Run | None:
    """Return the run of the tracked task (or plain function) in which this code runs.

    Found from the task, its traces, `asyncio.to_thread` and every thread that copies its context. In a thread without
    context it is the only open run of the process.

    Returns:
        The run; None outside of a tracked task, on a rank that does not log, and in a thread without context while
        several runs are open (with one warning).
    """
    from ._current import current_call, in_bare_thread
    from ._registry import OPEN_RUNS

    if tracked := current_call():
        return tracked.lease.run if tracked.lease else None
    if not in_bare_thread():
        return None
    if len(OPEN_RUNS) > 1:
        log_once(
            "get_wandb_run() was called in a thread without context while several runs are open, so it cannot know "
            "which one is meant; start the thread with contextvars.copy_context().run, or hand it the run"
        )
    return OPEN_RUNS.only()


def get_wandb_run_dir() -> str | None:
    """Return the local folder of the current run's files, or None where `get_wandb_run` is None."""
    run = get_wandb_run()
    return run.dir if run else None


def get_distributed_info() -> dict[str, int] | None:
    """Return this rank's place in the world, or None in a task that no launcher spread over ranks.

    Returns:
        `rank`, `local_rank`, `world_size`, `local_world_size`, `worker_index` and `num_workers`; see `Topology`.
    """
    from ..plans._request import detect_own_topology
    from ._current import current_call

    tracked = current_call()
    topology = tracked.request.topology if tracked else None
    # The request of a plain function outside of Flyte has no rank, but its process may be one.
    if topology is None or not topology.distributed:
        topology = detect_own_topology()
    if not topology.distributed:
        return None
    names = ("rank", "local_rank", "world_size", "local_world_size", "worker_index", "num_workers")
    return {name: getattr(topology, name) for name in names}


def get_wandb_sweep_id() -> str | None:
    """Return the id of the sweep for which this task works, or None outside of a `wandb_sweep` task and those below."""
    from ..plans._inherited import read_sweep
    from ..settings._config import config_in_force

    sweep = read_sweep(config_in_force())
    return sweep.sweep_id if sweep else None
