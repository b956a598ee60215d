"""Trying the strategies of the installed plugins on two small worlds, before a task needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from flyte_wandb_hookspecs import Plan, Request, Settings, Strategy, Topology

from .._errors import HookError, RefusedError
from ..plugins._loading import InstalledPlugin
from ..plugins._manager import StrategyManager
from ._plan import plan
from ._world import TYPICAL_LAUNCHER, check_world, world_requests

_WORLDS: Final = ((1, 4), (2, 4))
"""Nodes and ranks of each: many strategies have a size of 1, 2 or 4, which divides both."""


def rehearse_plugins(manager: StrategyManager, plugins: Sequence[InstalledPlugin]) -> list[InstalledPlugin]:
    """Plan two worlds with each run mode and rank scope, and return the plugins with the problems that this shows.

    A strategy is tried by its example, or else by its name alone.

    Args:
        manager: The registered plugins.
        plugins: All installed plugins.
    """
    problems: dict[str | None, HookError] = {}
    for problem in _find_problems(manager):
        problems.setdefault(problem.plugin, problem)
    return [plugin._replace(problem=plugin.problem or problems.get(plugin.name)) for plugin in plugins]


def _find_problems(manager: StrategyManager) -> Iterator[HookError]:
    pairs = product(manager.strategies("run_mode"), manager.strategies("rank_scope"))
    for pair, (nodes, per_node) in product(pairs, _WORLDS):
        try:
            check_world(_plan_world(manager, *pair, Topology.even(nodes, per_node, launcher=TYPICAL_LAUNCHER)))
        except RefusedError:  # the plugin knows that the world, or the missing argument, does not fit
            continue
        except HookError as problem:
            if not _lacks_argument(manager, problem, pair):
                yield problem


def _plan_world(manager: StrategyManager, mode: Strategy, scope: Strategy, first: Topology) -> list[Plan]:
    settings = Settings(run_mode=mode.example or mode.name, rank_scope=scope.example or scope.name)
    asked = Request(run_name="RUN", action_name="ACTION", settings=settings, topology=first)
    return [plan(request, manager) for request in world_requests(asked)]


def _lacks_argument(manager: StrategyManager, problem: HookError, pair: Iterable[Strategy]) -> bool:
    """Whether a hook may have raised an exception only because no example says which argument it needs."""
    if problem.__cause__ is None:
        return False
    own = manager.strategies_of(problem.plugin) if problem.plugin else []
    return any(strategy in own and strategy.example is None for strategy in pair)
