"""What every run of the organisation has beside what its task says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyte_wandb import hookimpl

from ._organisation import COST_CENTRE, TEAM


@hookimpl
def contribute_run_settings() -> Mapping[str, Any]:
    """Add the team as a tag, and the cost centre to the configuration. A task's own ``cost_centre`` wins.

    >>> contribute_run_settings()
    {'tags': ['acme'], 'config': {'cost_centre': 4711}}
    """
    return {"tags": [TEAM], "config": {"cost_centre": COST_CENTRE}}
