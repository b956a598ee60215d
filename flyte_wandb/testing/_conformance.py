"""What every plugin has to keep, as tests that its own suite inherits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, product
from types import ModuleType
from typing import Any, ClassVar, Final

import cloudpickle

from flyte_wandb_hookspecs import Plan, Request, Settings, Topology, strategy_name

from .._action import NAMELESS
from .._errors import HookError, RefusedError
from ..links._build import build_link_to_run
from ..plans._plan import declare_topology, detect_topology, plan
from ..plans._spec import Spec
from ..plans._world import check_owners, check_parts, topology_of_rank
from ..plugins._loading import built_in_manager
from ..plugins._manager import StrategyManager
from ._worlds import SHAPES, world_of

_SHORT: Final[Any] = {"run_name": "r1", "action_name": "a0", "flyte_project": "p1", "flyte_domain": "d1"}
_LONG: Final[Any] = {name: name[0] * 30 for name in _SHORT}
_PLACE: Final[Any] = {"project": "vision", "entity": "team", "host": "https://wandb.example.com"}
_IN_ANOTHER_PROCESS: Final = (
    "import json, sys, cloudpickle; json.dump(cloudpickle.load(sys.stdin.buffer)(), sys.stdout)"
)

_NAME: Final = "plugin under test"

Outcome = list[Any]
"""Role, run id, group, label, index and size, as JSON writes them."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    run_mode: str
    rank_scope: str
    nodes: tuple[int, ...]
    system_metrics: str = "owner"

    def requests(self, names: Any = _SHORT) -> list[Request]:
        settings = Settings(
            run_mode=self.run_mode, rank_scope=self.rank_scope, system_metrics=self.system_metrics, **_PLACE
        )
        ranks = world_of(*self.nodes)
        return [Request(**names, task_name="env.train", settings=settings, topology=one) for one in ranks]

    def __str__(self) -> str:
        measured = "" if self.system_metrics == "owner" else f", system_metrics {self.system_metrics!r}"
        return f"run_mode {self.run_mode!r}, rank_scope {self.rank_scope!r}{measured}, nodes of {self.nodes} ranks"


class PluginConformance:
    """Tests for a plugin: subclass it in the plugin's suite, under a name that pytest collects.

    A world that the plugin refuses (`PlanRefusedError`) on every rank is left out.

    Attributes:
        plugin: The module or object with the hook implementations.
        rank_scopes: The rank scopes to try; those that the plugin brings, with their arguments.
        run_modes: The run modes to try.
        shapes: Worlds to try, as the ranks of each node.
        launches: Of a plugin that knows a launcher: a task's `plugin_config` and environment (or None), and the
            variables of each rank that the launcher then starts, in the order of ranks.

    Example::

        import flyte_wandb_gpu_island
        from flyte_wandb.testing import PluginConformance

        class TestIsland(PluginConformance):
            plugin = flyte_wandb_gpu_island
            rank_scopes = ("island:1", "island:4")
    """

    plugin: ClassVar[Any]
    rank_scopes: ClassVar[Sequence[str]] = ("global", "worker")
    run_modes: ClassVar[Sequence[str]] = ("auto", "new", "shared")
    shapes: ClassVar[Sequence[tuple[int, ...]]] = SHAPES
    launches: ClassVar[Sequence[tuple[Any, Any, Sequence[Mapping[str, str]]]]] = ()

    def test_it_fits_the_contract_and_some_world(self) -> None:
        """It can be registered beside the built-ins, and every strategy that it brings has a world that it plans."""
        strategies = _strategies(self.plugin)
        self._refuse_untried(strategies)
        for mode, scope in product(self.run_modes, self.rank_scopes):
            cases = [_Case(run_mode=mode, rank_scope=scope, nodes=tuple(nodes)) for nodes in self.shapes]
            if not any(_planned(case, strategies) for case in cases):
                raise AssertionError(f"run_mode {mode!r} with rank_scope {scope!r} is refused for every world")

    def test_all_ranks_agree_on_their_parts(self) -> None:
        """Every part has as many ranks as it says, each under a different index, from 0 on."""
        for case, plans in self._plans():
            with _naming_case(case):
                check_parts(plans)

    def test_every_run_has_one_owner(self) -> None:
        """No two ranks own one run, and every rank that joins has exactly one PRIMARY to join."""
        for case, plans in chain(self._plans(), self._plans(system_metrics="nodes")):
            with _naming_case(case):
                if _agree_on_parts(plans):
                    check_owners(plans)

    def test_names_are_those_that_wandb_takes_also_with_the_longest_names_of_flyte(self) -> None:
        """Ids and groups keep W&B's limits when Flyte's names have 30 characters each."""
        strategies = _strategies(self.plugin)
        for case in self._cases():
            _planned(case, strategies, _LONG)

    def test_the_same_question_has_the_same_answer_twice_and_in_another_process(self) -> None:
        """Hooks depend on nothing but their arguments: no clock, no random number, no environment, no hash seed."""
        cases = list(self._cases())
        first, second = _outcomes(self.plugin, cases), _outcomes(self.plugin, cases)
        _compare(cases, first, second, "asked twice")
        _compare(cases, first, _elsewhere(self.plugin, cases), "asked in another process")

    def test_links_can_be_made_before_flyte_knows_the_names(self) -> None:
        """Flyte's placeholders survive in ids, groups and links."""
        strategies = _strategies(self.plugin)
        for case in self._cases():
            if len(set(case.nodes)) == 1 and _agree_on_parts(_planned(case, strategies)):
                _check_link(case, strategies)

    def test_the_world_that_a_task_declares_is_the_one_that_is_started(self) -> None:
        """Every rank knows itself as the rank of the declared world, so links lead to runs that exist."""
        strategies = _strategies(self.plugin)
        for plugin_config, environment, ranks in self.launches:
            declared = declare_topology(plugin_config, environment, strategies)
            if declared is None:
                raise AssertionError(f"declare_topology has no answer for {plugin_config!r} and {environment!r}")
            expected = [topology_of_rank(declared, rank) for rank in range(declared.world_size)]
            started = [detect_topology(environ, strategies) for environ in ranks]
            _compare_worlds(expected, started)

    def _refuse_untried(self, strategies: StrategyManager) -> None:
        for strategy in strategies.strategies_of(_NAME):
            attribute = f"{strategy.kind}s"
            tried = getattr(self, attribute)
            if strategy.name not in map(strategy_name, tried):
                raise AssertionError(
                    f"the plugin brings the {strategy.kind} {strategy.name!r}, and {type(self).__name__} does not try "
                    f"it: write {attribute} = {(strategy.example or strategy.name, *tried)}"
                )

    def _cases(self) -> Iterator[_Case]:
        for mode, scope, nodes in product(self.run_modes, self.rank_scopes, self.shapes):
            yield _Case(run_mode=mode, rank_scope=scope, nodes=tuple(nodes))

    def _plans(self, **settings: Any) -> Iterator[tuple[_Case, list[Plan]]]:
        strategies = _strategies(self.plugin)
        for case in (replace(case, **settings) for case in self._cases()):
            if plans := _planned(case, strategies):
                yield case, plans


def _strategies(plugin: object) -> StrategyManager:
    """Return a manager with the built-ins and the plugin."""
    strategies = built_in_manager()
    strategies.register(plugin, name=_NAME)
    return strategies


def _planned(case: _Case, strategies: StrategyManager, names: Any = _SHORT) -> list[Plan]:
    """Return the plan of every rank, none where every rank is refused."""
    plans: list[Plan] = []
    refusals: list[str] = []
    for request in case.requests(names):
        try:
            plans.append(plan(request, strategies))
        except RefusedError as refusal:
            refusals.append(str(refusal))
    if plans and refusals:
        raise AssertionError(
            f"{case}: {len(refusals)} of {len(plans) + len(refusals)} ranks are refused: {refusals[0]}"
        )
    return plans


def _agree_on_parts(plans: Sequence[Plan]) -> bool:
    """Whether there are plans with parts that are right. If a part is wrong, the test for parts alone says so."""
    try:
        check_parts(plans)
    except HookError:
        return False
    return bool(plans)


@contextmanager
def _naming_case(case: _Case) -> Iterator[None]:
    try:
        yield
    except HookError as error:
        raise AssertionError(f"{case}: {error}") from error


def _outcomes(plugin: object, cases: Sequence[_Case]) -> list[list[Outcome]]:
    strategies = _strategies(plugin)
    return [[_outcome(one) for one in _planned(case, strategies)] for case in cases]


def _outcome(one: Plan) -> Outcome:
    return [one.role.value, one.run_id, one.group, one.part.label, one.part.index, one.part.size]


def _elsewhere(plugin: Any, cases: Sequence[_Case]) -> list[list[Outcome]]:
    """Ask in a fresh interpreter with another hash seed and nearly no environment."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS]
    work = _pickled(partial(_outcomes, plugin, tuple(cases)), plugin)
    result = subprocess.run(command, input=work, env=environ, capture_output=True, check=False)
    if result.returncode:
        raise AssertionError(f"the plugin does not work in another process: {result.stderr.decode()}")
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def _pickled(work: Any, plugin: Any) -> bytes:
    """Pickle a plugin object by value: the module of a test cannot always be imported elsewhere."""
    if isinstance(plugin, ModuleType):
        return bytes(cloudpickle.dumps(work))
    module = sys.modules[type(plugin).__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(work))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _compare(cases: Sequence[_Case], first: list[Any], other: list[Any], how: str) -> None:
    for case, one, two in zip(cases, first, other, strict=True):
        for rank, (before, after) in enumerate(zip(one, two, strict=True)):
            if before != after:
                raise AssertionError(f"{case}: rank {rank} is {before}, and {after} when {how}")


def _compare_worlds(declared: Sequence[Topology], started: Sequence[Topology]) -> None:
    if len(declared) != len(started):
        raise AssertionError(f"the task declares {len(declared)} ranks, and {len(started)} are started")
    for rank, (one, other) in enumerate(zip(declared, started, strict=True)):
        # What is open before the start, and how often a rank was started, is no place in the world.
        if replace(one, caveat=None) != replace(other, restart_count=0):
            raise AssertionError(f"rank {rank} is declared as {one}, and started as {other}")


def _check_link(case: _Case, strategies: StrategyManager) -> None:
    settings = {"run_mode": case.run_mode, "rank_scope": case.rank_scope, **_PLACE}
    first = world_of(*case.nodes)[0]
    spec = Spec(settings=settings, task_name="env.train", declared=first)
    made = build_link_to_run(spec, NAMELESS, strategies)
    if made.fault:
        raise AssertionError(f"{case}: {made.fault}")
