"""Who owns a finished run tells the organisation's webhook of it."""

from __future__ import annotations

import os
from typing import Any

from flyte_wandb import Plan, hookimpl

from ._organisation import WEBHOOK_VARIABLE
from ._post import post


@hookimpl
def run_finished(plan: Plan, run: Any, error: BaseException | None) -> None:
    """Post the run's id, page and outcome, if a webhook is named and this rank owns the run. Waits for nothing."""
    address = os.environ.get(WEBHOOK_VARIABLE)
    if address and plan.role.owns:
        page = None if run.offline else run.url  # W&B prints a warning where an offline run is asked for its page
        post(address, {"run_id": plan.run_id, "url": page, "outcome": outcome(error)})


def outcome(error: BaseException | None) -> str:
    """Return ``finished`` or ``failed``, as W&B calls it: a `SystemExit` with code 0 is no failure.

    >>> outcome(None), outcome(SystemExit(0)), outcome(SystemExit(3)), outcome(ValueError())
    ('finished', 'finished', 'failed', 'failed')
    """
    succeeded = error is None or (isinstance(error, SystemExit) and error.code in (None, 0))
    return "finished" if succeeded else "failed"
