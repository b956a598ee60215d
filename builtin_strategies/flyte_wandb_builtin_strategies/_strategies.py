"""The run modes and rank scopes that come with the package."""

from collections.abc import Sequence
from typing import Final

from flyte_wandb_hookspecs import Strategy, hookimpl

BUILT_IN: Final = (
    Strategy(kind="run_mode", name="auto", summary="one run per part; a child writes to its parent's run"),
    Strategy(kind="run_mode", name="new", summary="a run for every rank, grouped per part"),
    Strategy(kind="run_mode", name="shared", summary="all ranks of a part (or child and parent) write to one run"),
    Strategy(kind="rank_scope", name="global", summary="all ranks are one part"),
    Strategy(kind="rank_scope", name="worker", summary="the ranks of each node (worker) are a part"),
)


@hookimpl
def list_strategies() -> Sequence[Strategy]:
    """Declare the three run modes and the two rank scopes."""
    return BUILT_IN
