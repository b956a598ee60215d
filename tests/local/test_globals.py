"""Of two runs that are finished at once, neither is left in W&B's globals."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import wandb

from flyte_wandb.runs._registry import OpenRuns
from flyte_wandb.wandb_client._opening import Opening


def test_two_runs_that_finish_at_once_leave_nothing_in_the_globals(
    tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    runs = OpenRuns()
    for number in range(5):
        leases = [runs.acquire(Opening(run_id=f"{name}-{number}"), action=name) for name in ("a", "b")]
        together = threading.Barrier(2)

        def release(place: int) -> None:
            together.wait()  # noqa: B023  # used in this turn only
            runs.release(leases[place], 0)  # noqa: B023

        threads = [threading.Thread(target=release, args=(place,)) for place in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (wandb.run, runs._outer) == (None, None)
