"""The two hooks behind the rank scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flyte_wandb import Part, Request, Strategy, hookimpl

from ._islands import NAME, island_of
from ._size import island_size

ISLANDS: Final = (
    Strategy(
        kind="rank_scope",
        name=NAME,
        summary=f"every <ranks> ranks in a row are a part, {NAME}:<ranks>",
        example=f"{NAME}:4",
    ),
)


@hookimpl
def list_strategies() -> Sequence[Strategy]:
    """Declare the rank scope.

    >>> [strategy.name for strategy in list_strategies()]
    ['island']
    """
    return ISLANDS


@hookimpl
def locate_rank(request: Request) -> Part | None:
    """Put the rank into its island, or answer None where another rank scope is asked for.

    Raises:
        PlanRefusedError: The scope names no size, one that is no whole number of 1 or more, or one that does not
            divide the world.

    >>> from flyte_wandb import Settings, Topology
    >>> rank = Topology(rank=5, world_size=8, launcher="torch-elastic")
    >>> locate_rank(Request(run_name="r1", action_name="a0", settings=Settings(rank_scope="island:4"), topology=rank))
    Part(label='island-1', index=1, size=4)
    """
    if request.rank_scope != NAME:
        return None
    size = island_size(request.settings.rank_scope, request.topology)
    return island_of(request.topology, size)
