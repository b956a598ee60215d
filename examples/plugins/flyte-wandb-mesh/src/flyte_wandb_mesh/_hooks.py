"""The two hooks behind the rank scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flyte_wandb import Part, PlanRefusedError, Request, Strategy, hookimpl, strategy_argument

from ._mesh import locate_in_mesh
from ._notation import parse_mesh

NAME: Final = "mesh"
MESHES: Final = (
    Strategy(
        kind="rank_scope",
        name=NAME,
        summary="parts of a device mesh, mesh:pp=4,dp=2,tp=8;per=dp;lead=pp:last",
        example="mesh:dp=2,tp=2;per=dp",
    ),
)


@hookimpl
def list_strategies() -> Sequence[Strategy]:
    """Declare the rank scope.

    >>> [strategy.name for strategy in list_strategies()]
    ['mesh']
    """
    return MESHES


@hookimpl
def locate_rank(request: Request) -> Part | None:
    """Put the rank into its part of the mesh, or answer None where another rank scope is asked for.

    A process that no launcher started is no rank, and a part of its own under any mesh: a scope that the context gives
    to a whole Flyte run reaches plain tasks, too.

    Raises:
        PlanRefusedError: The scope describes no mesh, or one of another size than the world.

    >>> from flyte_wandb import Settings, Topology
    >>> rank = Topology(rank=6, world_size=8, launcher="torch-elastic")
    >>> settings = Settings(rank_scope="mesh:pp=2,dp=2,tp=2;per=dp;lead=pp:last")
    >>> locate_rank(Request(run_name="r1", action_name="a0", settings=settings, topology=rank))
    Part(label='dp-1', index=0, size=4)
    """
    if request.rank_scope != NAME:
        return None
    scope, topology = request.settings.rank_scope, request.topology
    try:
        mesh = parse_mesh(strategy_argument(scope) or "")
        return locate_in_mesh(mesh, topology.rank, topology.world_size) if topology.distributed else Part()
    except ValueError as fault:
        raise PlanRefusedError(f"rank_scope {scope!r}: {fault}") from None
