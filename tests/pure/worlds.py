"""Requests and managers for the suites of the pure layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyte_wandb import ParentRun, Plan, Request, Settings, StrategyManager, Topology, plan
from flyte_wandb.plugins._loading import built_in_manager
from flyte_wandb.testing import world_of as launched

ALONE = Topology()
"""A plain task, which no launcher started as a rank."""


def request(topology: Topology = ALONE, *, parent: ParentRun | None = None, **settings: Any) -> Request:
    """The request of action a0 in run r1."""
    return Request(
        run_name="r1", action_name="a0", settings=Settings(**settings), topology=topology, parent=parent, task_name="t"
    )


def manager(**plugins: object) -> StrategyManager:
    """A manager with the built-in strategies and `plugins`, of which the last one is asked first."""
    made = built_in_manager()
    for name, plugin in plugins.items():
        made.register(plugin, name=name)
    return made


def plans(topologies: Sequence[Topology], strategies: StrategyManager | None = None, **settings: Any) -> list[Plan]:
    """The plan of every rank."""
    ask = strategies or manager()
    return [plan(request(topology, **settings), ask) for topology in topologies]


def plan_text(one: Plan) -> str:
    """A plan as it is written in the tables: ``solo r1-a0-rank-0 in r1-a0``."""
    words = [one.role.value]
    words += [one.run_id] if one.run_id else []
    words += ["in", one.group] if one.group else []
    return " ".join(words)


__all__ = ["ALONE", "launched", "manager", "plan_text", "plans", "request"]
