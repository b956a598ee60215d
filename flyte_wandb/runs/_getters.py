"""What a task's code asks: its run, the run's folder, its place in the world. Imports the session when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._logging import log_once

if TYPE_CHECKING:
    import wandb


def get_wandb_run() -> wandb.Run | None:
    """Return the run of the tracked task (or plain function) in which this code runs.

    Works in the task, its traces, `asyncio.to_thread`, and in threads that copy its context or that it starts.

    Returns:
        The run. None outside of a tracked task, on a rank without a run, and in a thread without context that no
        tracked task started (with one warning while runs are open).
    """
    from ._current import current_call
    from ._registry import OPEN_RUNS
    from ._thread_owners import in_bare_thread, is_owner_known, owning_call

    if tracked := current_call():
        return tracked.lease.run if tracked.lease else None
    if not in_bare_thread():
        return None
    owner = owning_call()
    # The call is over where a thread outlives it, and its run with it. A forked child has no registry of open runs.
    if owner and owner.lease and (owner.in_fork or OPEN_RUNS.holds(owner.lease)):
        return owner.lease.run
    run = None if is_owner_known() else OPEN_RUNS.only()
    if run is None and len(OPEN_RUNS):
        log_once(
            "get_wandb_run() was called in a thread that no tracked task started, so it cannot tell which run you "
            "mean; start the thread in the task, or pass it the run, or the task's contextvars.copy_context().run"
        )
    return run


def get_wandb_run_dir() -> str | None:
    """Return the local folder of the current run's files, or None if `get_wandb_run` is None."""
    run = get_wandb_run()
    return run.dir if run else None


def get_distributed_info() -> dict[str, int] | None:
    """Return this rank's place in the world, or None if no launcher started the process.

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
    """Return the id of this task's sweep, or None outside of a `wandb_sweep` task and the tasks below it."""
    from ..plans._inherited import read_sweep
    from ..settings._config import config_in_force

    sweep = read_sweep(config_in_force())
    return sweep.sweep_id if sweep else None
