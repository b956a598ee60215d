"""The identity of the nearest tracked run, as it travels from task to task in Flyte's context."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from flyte_wandb_hookspecs import ParentRun

from ._errors import SettingError

RUN_ID_KEY: Final = "_wandb_run_id"
RUN_KEY: Final = "_wandb_run"


def written_run(run: ParentRun) -> dict[str, str]:
    """Write the identity of a run for the tasks below it."""
    return {
        RUN_ID_KEY: run.run_id,
        RUN_KEY: json.dumps({name: getattr(run, name) for name in run.__slots__}),
    }


def read_run(context: Mapping[str, str]) -> ParentRun | None:
    """Read the nearest tracked run above, or None. A bare ``_wandb_run_id`` is enough.

    >>> read_run(written_run(ParentRun(run_id="r1-a0", joinable=False))).joinable
    False
    """
    run_id = context.get(RUN_ID_KEY)
    if not run_id:
        return None
    try:
        known = ParentRun(**json.loads(context.get(RUN_KEY, "{}") or "{}") | {"run_id": run_id})
    except (TypeError, ValueError) as error:
        raise SettingError(f"{RUN_KEY}={context[RUN_KEY]!r} in Flyte's context is not a run: {error}") from error
    return known
