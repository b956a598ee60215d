"""What became of an offline run that was to be uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["synced", "skipped", "found", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What `sync_wandb_runs` did with one folder.

    Attributes:
        place: The folder's path or address.
        status: "synced" where the server has it now, "skipped" where it had it before this call, "found" in a dry run,
            or "failed" with a reason.
        run_id: W&B's id of the run, or None where its log ends before it.
        rows: Rows of history that the server has of it, or None where nothing was uploaded.
        torn: Whether the process that wrote it was killed: what is before the tear is uploaded, and W&B shows the run
            as failed.
        url: The run's page, or None where nothing was uploaded.
        reason: Why it was not uploaded, or None.

    >>> SyncOutcome(place="wandb/offline-run-1-r1", status="skipped", run_id="r1").rows is None
    True
    """

    place: str
    status: Status
    run_id: str | None = None
    rows: int | None = None
    torn: bool = False
    url: str | None = None
    reason: str | None = None
