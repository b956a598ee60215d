"""The records that `run_sweep` and `sync_wandb_runs` return: one per trial, one per synced run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TrialState = Literal["finished", "failed", "stopped"]
"""What became of a trial: it returned, it raised, or W&B's controller ended it early."""


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """What became of one trial of `run_sweep`.

    Attributes:
        number: Its place in the order in which W&B's controller gave trials out, from 0.
        run_id: Id of its W&B run.
        parameters: What the controller chose.
        state: What became of it.
        result: What the task returned; None unless it finished.
        error: What the task raised, or None.
        summary: The summary of its run, without W&B's own keys; empty where it could not be read.
        url: Page of its run.
    """

    number: int
    run_id: str
    parameters: Mapping[str, Any]
    state: TrialState
    result: Any = None
    error: BaseException | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""


def exit_code(error: BaseException | None) -> int:
    """Return the exit code that W&B gets: 0 for a result, the code of a SystemExit, 1 for any other exception.

    >>> exit_code(None), exit_code(ValueError()), exit_code(SystemExit(3)), exit_code(SystemExit("bad"))
    (0, 1, 3, 1)
    """
    if isinstance(error, SystemExit):
        # As Python exits: 0 for None, and 1 for a text, which it prints.
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 1


Status = Literal["synced", "skipped", "found", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What `sync_wandb_runs` did with one folder.

    Attributes:
        place: The folder's path or address.
        status: "synced" where the server has it now, "skipped" where it had it before this call, "found" in a dry run,
            or "failed" with a reason.
        run_id: W&B's id of the run, or None where its log ends before it.
        target: ``ENTITY/PROJECT`` to which it was uploaded or asks to go, or ``PROJECT`` for the user's own entity;
            None where nobody can say.
        rows: Rows of history that the server has of it, or None where nothing was uploaded.
        torn: Whether the process that wrote it was killed: what is before the tear is uploaded, and W&B shows the run
            as failed.
        url: The run's page, or None where nothing was uploaded.
        left_out: What of it was not uploaded, in words: records of its log that name a file which is not in its own
            folder, such as an artifact, and files that lead out of it.
        reason: Why it was not uploaded, or None.

    >>> SyncOutcome(place="wandb/offline-run-1-r1", status="skipped", run_id="r1").rows is None
    True
    """

    place: str
    status: Status
    run_id: str | None = None
    target: str | None = None
    rows: int | None = None
    torn: bool = False
    url: str | None = None
    left_out: tuple[str, ...] = ()
    reason: str | None = None
