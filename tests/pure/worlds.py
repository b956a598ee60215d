"""Whole worlds of ranks, requests and managers for the suites of the pure layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import flyte_wandb_builtin_strategies as builtin
from flyte_wandb import ParentRun, Plan, Request, Settings, StrategyManager, Topology, plan

ALONE = Topology()
"""A plain task, which no launcher started as a rank."""


def launched(*nodes: int) -> list[Topology]:
    """Every rank of a world whose nodes have these many processes."""
    places = [(worker, local_rank) for worker, size in enumerate(nodes) for local_rank in range(size)]
    return [
        Topology(
            rank=rank,
            world_size=len(places),
            local_rank=local_rank,
            local_world_size=nodes[worker],
            worker_index=worker,
            num_workers=len(nodes),
            launcher="torch-elastic",
        )
        for rank, (worker, local_rank) in enumerate(places)
    ]


def request(topology: Topology = ALONE, *, parent: ParentRun | None = None, **settings: Any) -> Request:
    """The request of action a0 in run r1."""
    return Request(
        run_name="r1", action_name="a0", settings=Settings(**settings), topology=topology, parent=parent, task_name="t"
    )


def manager(**plugins: object) -> StrategyManager:
    """A manager with the built-in strategies and `plugins`, of which the last one is asked first."""
    made = StrategyManager()
    made.register(builtin, name="builtin")
    for name, plugin in plugins.items():
        made.register(plugin, name=name)
    return made


def plans(topologies: Sequence[Topology], strategies: StrategyManager | None = None, **settings: Any) -> list[Plan]:
    """The plan of every rank."""
    ask = strategies or manager()
    return [plan(request(topology, **settings), ask) for topology in topologies]


def told(one: Plan) -> str:
    """A plan as it is written in the tables: ``solo r1-a0-rank-0 in r1-a0``."""
    words = [one.role.value]
    words += [one.run_id] if one.run_id else []
    words += ["in", one.group] if one.group else []
    return " ".join(words)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What this package has logged; W&B's client logs for itself."""
    return [record.getMessage() for record in caplog.records if record.name == "flyte_wandb"]
