"""The rank scope `island:<ranks>` beside the built-in run modes, names and links."""

from __future__ import annotations

import doctest
from typing import Any, ClassVar

import flyte
import pytest
from flyte.clustered import ClusteredTaskEnvironment

import flyte_wandb_gpu_island
from flyte_wandb import (
    HookError,
    Plan,
    RefusedError,
    Request,
    Settings,
    StrategyManager,
    plan,
    preview,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb.testing import PluginConformance, assert_plan, world_of
from flyte_wandb_gpu_island import _hooks, _islands, _size

RACKS = ClusteredTaskEnvironment(name="racks", replicas=2, nproc_per_node=4)
PLACE: Any = {"project": "vision", "entity": "team", "host": "https://wandb.example.com"}


class TestIsland(PluginConformance):
    plugin: ClassVar[Any] = flyte_wandb_gpu_island
    rank_scopes = ("island:1", "island:2", "island:4", "global", "worker")


@pytest.fixture
def strategies(wandb_strategies: StrategyManager) -> StrategyManager:
    """The built-ins and this plugin."""
    wandb_strategies.register(flyte_wandb_gpu_island, name="gpu-island")
    return wandb_strategies


def planned(strategies: StrategyManager, rank_scope: str, *nodes: int, run_mode: str = "auto") -> list[Plan]:
    """The plan of every rank of action a0 in run r1."""
    settings = Settings(rank_scope=rank_scope, run_mode=run_mode)
    asked = [Request(run_name="r1", action_name="a0", settings=settings, topology=rank) for rank in world_of(*nodes)]
    return [plan(one, strategies) for one in asked]


@pytest.mark.parametrize(
    ("run_mode", "roles", "run_ids", "group"),
    [
        ("auto", ("solo", "skip"), ("r1-a0-island-1", None), None),
        ("shared", ("primary", "secondary"), ("r1-a0-island-1", "r1-a0-island-1"), None),
        ("new", ("solo", "solo"), ("r1-a0-island-1-rank-0", "r1-a0-island-1-rank-1"), "r1-a0-island-1"),
    ],
)
def test_every_run_mode_works_on_islands(
    run_mode: str,
    roles: tuple[str, str],
    run_ids: tuple[str | None, str | None],
    group: str | None,
    strategies: StrategyManager,
) -> None:
    second_island = planned(strategies, "island:2", 4, run_mode=run_mode)[2:]
    for one, role, run_id in zip(second_island, roles, run_ids, strict=True):
        assert_plan(
            one, role=role, run_id=run_id, group=group, part="island-1", decided_by={"locate_rank": "gpu-island"}
        )


def test_an_island_may_reach_over_nodes(strategies: StrategyManager) -> None:
    """Ranks 2 and 3, the last of the first node and the first of the second one, are on one island."""
    plans = planned(strategies, "island:2", 3, 5)
    assert [one.part.label for one in plans] == [f"island-{island}" for island in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert [one.part.index for one in plans] == [0, 1] * 4


def test_one_island_that_is_the_whole_world_has_no_label(strategies: StrategyManager) -> None:
    first, *_ = planned(strategies, "island:8", 4, 4)
    assert_plan(first, run_id="r1-a0", part=None)
    assert (first.part.index, first.part.size) == (0, 8)


def test_another_rank_scope_is_left_to_others(strategies: StrategyManager) -> None:
    assert_plan(planned(strategies, "worker", 2, 2)[2], part="worker-1", decided_by={"locate_rank": "builtin"})


@pytest.mark.parametrize("rank_scope", ["island:1", "island:4", "island:7"])
def test_a_process_that_is_no_rank_is_an_island_of_its_own(rank_scope: str, strategies: StrategyManager) -> None:
    asked = Request(run_name="r1", action_name="a0", settings=Settings(rank_scope=rank_scope))
    assert_plan(plan(asked, strategies), role="primary", run_id="r1-a0", part=None)


FITTING = "what fits a world size of 8: island:1, island:2, island:4, island:8"
NO_NUMBER = "which is no whole number of 1 or more"


@pytest.mark.parametrize(
    ("rank_scope", "fault"),
    [
        ("island", "does not say how many ranks an island has"),
        ("island:", f"says that an island has '' ranks, {NO_NUMBER}"),
        ("island:x", f"says that an island has 'x' ranks, {NO_NUMBER}"),
        ("island:0", f"says that an island has '0' ranks, {NO_NUMBER}"),
        ("island:-2", f"says that an island has '-2' ranks, {NO_NUMBER}"),
        ("island:2.5", f"says that an island has '2.5' ranks, {NO_NUMBER}"),
        ("island:3", "does not divide the world into islands of one size"),
        ("island:16", "does not divide the world into islands of one size"),
    ],
)
def test_a_size_that_cannot_be_is_refused_with_value_world_and_remedy(
    rank_scope: str, fault: str, strategies: StrategyManager
) -> None:
    with pytest.raises(RefusedError) as caught:
        planned(strategies, rank_scope, 8)
    by = "refused by plugin 'gpu-island' in locate_rank"
    assert str(caught.value) == f"rank_scope {rank_scope!r} {fault}; {FITTING} ({by})"


def test_a_plain_task_hears_of_a_size_that_cannot_be_as_well(strategies: StrategyManager) -> None:
    with pytest.raises(RefusedError, match=r"'island'.*write island:<ranks>, such as island:4.*its world size is 1"):
        plan(Request(run_name="r1", action_name="a0", settings=Settings(rank_scope="island")), strategies)


def test_the_preview_has_a_link_for_every_island() -> None:
    with use_plugin(flyte_wandb_gpu_island):

        @wandb_init(rank_scope="island:4", run_mode="new", **PLACE)
        @RACKS.task
        def train() -> None: ...

        found = preview(train)
    assert found.summary == "8 runs in 2 groups, 2 links"
    assert [(link.name, link.url.rpartition("/groups/")[2]) for link in found.links] == [
        ("Weights & Biases island 0", "RUN-ACTION-island-0/workspace"),
        ("Weights & Biases island 1", "RUN-ACTION-island-1/workspace"),
    ]


def test_a_declared_world_that_cannot_be_divided_is_an_error_where_the_task_is_decorated() -> None:
    with use_plugin(flyte_wandb_gpu_island), pytest.raises(HookError, match=r"'island:3' does not divide"):

        @wandb_init(rank_scope="island:3", **PLACE)
        @RACKS.task
        def train() -> None: ...


def test_a_scope_for_a_whole_run_of_flyte_reaches_plain_tasks() -> None:
    with use_plugin(flyte_wandb_gpu_island):

        @wandb_init
        @flyte.TaskEnvironment(name="plain").task
        def main() -> None: ...

        assert preview(main, context=wandb_config(rank_scope="island:4", **PLACE)).runs == ("RUN-ACTION",)


@pytest.mark.parametrize("module", [_hooks, _islands, _size], ids=lambda module: module.__name__)
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
