"""What a herd does: worlds of ranks that open their runs at the same moment, by this package and by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from flyte_wandb import Request, Role, Settings, Topology, plan
from flyte_wandb.plans._world import world_requests

By = Literal["", "new", "shared"]
"""Who opens the runs: this package, or `wandb.init` by hand, for a run of each rank or one that its node shares."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table.

    Attributes:
        what: What people read of it.
        nodes: Nodes of the world.
        per_node: Ranks on each.
        settings: Settings of `wandb_config`.
        by_hand: Who opens the runs.
        kind: Whether the ranks are some at a time in each process, each in a container, or trials of a sweep.
        seconds: How long the ranks go on when all could be open; 0 for a little.
        slowed: Whether the limit of runs is slowed down to what this machine can open.
    """

    what: str
    nodes: int
    per_node: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    by_hand: By = ""
    kind: Literal["processes", "containers", "trials"] = "processes"
    seconds: float = 0.0
    slowed: bool = True

    @property
    def ranks(self) -> int:
        """How many ranks, or trials, there are."""
        return self.nodes * self.per_node

    def openers(self) -> list[int]:
        """Return the ranks that open or join a run, as this package plans them; by hand all do."""
        if self.by_hand or self.kind == "trials":
            return list(range(self.ranks))
        topology = Topology.even(self.nodes, self.per_node, launcher="herd")
        first = Request(run_name="r1", action_name="a0", settings=Settings(**self.settings), topology=topology)
        return [rank for rank, request in enumerate(world_requests(first)) if plan(request).role is not Role.SKIP]


_WORKER: Final = {"rank_scope": "worker"}
_SHARED: Final = {"run_mode": "shared"}


def list_cases(nodes: int, per_node: int, trials: int) -> Iterator[Case]:
    """Yield the cases of a world, and of a sweep of so many trials."""
    world: dict[str, Any] = {"nodes": nodes, "per_node": per_node}
    yield Case(what="one run (`auto`)", **world)
    yield Case(what="a run of each node (`auto`, `worker`)", settings=_WORKER, **world)
    yield Case(what="a run of each rank (`new`)", settings={"run_mode": "new"}, **world)
    yield Case(what="a run of each rank", by_hand="new", **world)
    yield Case(what="a run of each node for its ranks (`shared`, `worker`)", settings={**_SHARED, **_WORKER}, **world)
    yield Case(what="a run of each node for its ranks", by_hand="shared", **world)
    sweep: dict[str, Any] = {"nodes": trials, "per_node": 1, "kind": "trials", "slowed": False}
    yield Case(what="trials of a sweep, 20 at a time (`run_sweep`)", **sweep)
    yield Case(what="as many runs, 20 at a time", by_hand="new", **sweep)


def list_crowds(writers: Sequence[int], nodes: int, seconds: float) -> Iterator[Case]:
    """Yield the cases of one run with so many writers, and with a rank of each node that measures it."""
    crowd: dict[str, Any] = {"per_node": 1, "kind": "containers", "slowed": False}
    measured = f'one run, measured on {nodes} nodes (`system_metrics="nodes"`)'
    yield Case(what=measured, nodes=nodes, settings={"system_metrics": "nodes"}, seconds=seconds / 2, **crowd)
    for number in writers:
        yield Case(
            what=f"one run of {number} ranks (`shared`)", nodes=number, settings=_SHARED, seconds=seconds, **crowd
        )
