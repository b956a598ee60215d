"""What became of a trial: the record that callers get."""

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
    """Return what W&B is told of an outcome: 0 for a result, the code of a SystemExit, 1 for any other exception.

    >>> exit_code(None), exit_code(ValueError()), exit_code(SystemExit(3)), exit_code(SystemExit("bad"))
    (0, 1, 3, 1)
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 1
