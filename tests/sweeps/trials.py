"""The trials of a sweep, as a server shows them."""

from __future__ import annotations

from flyte_wandb.testing import RunRecord, SweepRecord, WandbServer


def begun_trials(server: WandbServer, sweep: SweepRecord) -> list[RunRecord]:
    """Return the runs of the trials that have begun.

    W&B's agent may be given one more between the end of its last one and its own, and never begins it.
    """
    return [run for run in map(server.run, sweep.run_ids) if run.state != "pending"]
