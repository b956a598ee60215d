"""The rank scope `mesh:<dimensions>` beside the built-in run modes, names and links."""

from __future__ import annotations

import doctest
from itertools import product
from typing import Any, ClassVar

import flyte
import pytest
from flyte.clustered import ClusteredTaskEnvironment
from hypothesis import given
from hypothesis import strategies as st

import flyte_wandb_mesh
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
from flyte_wandb_mesh import _hooks, _mesh, _notation
from flyte_wandb_mesh._mesh import Mesh, locate_in_mesh
from flyte_wandb_mesh._notation import parse_mesh

USUAL = "mesh:pp=4,dp=2,tp=8;per=dp;lead=pp:last"
RACKS = ClusteredTaskEnvironment(name="racks", replicas=8, nproc_per_node=8)
PLACE: Any = {"project": "vision", "entity": "team", "host": "https://wandb.example.com"}


class TestMesh(PluginConformance):
    plugin: ClassVar[Any] = flyte_wandb_mesh
    rank_scopes = (
        "mesh:pp=2,dp=2,tp=2;per=dp;lead=pp:last",
        "mesh:pp=4,dp=4,tp=4;per=pp,dp",
        "mesh:pp=8,dp=16,tp=8;per=dp;lead=pp:last,tp:1",
    )
    shapes = ((8,), (6, 2), (8,) * 8, (8,) * 128)


@pytest.fixture
def strategies(wandb_strategies: StrategyManager) -> StrategyManager:
    """The built-ins and this plugin."""
    wandb_strategies.register(flyte_wandb_mesh, name="mesh")
    return wandb_strategies


def plans(strategies: StrategyManager, rank_scope: str, *nodes: int, run_mode: str = "auto") -> list[Plan]:
    """The plan of every rank of action a0 in run r1."""
    settings = Settings(rank_scope=rank_scope, run_mode=run_mode)
    ranks = world_of(*nodes)
    requests = [Request(run_name="r1", action_name="a0", settings=settings, topology=rank) for rank in ranks]
    return [plan(request, strategies) for request in requests]


def test_each_replica_has_one_run_by_the_first_rank_of_its_last_pipeline_stage(strategies: StrategyManager) -> None:
    opened = {rank: one.run_id for rank, one in enumerate(plans(strategies, USUAL, *(8,) * 8)) if one.run_id}
    assert opened == {48: "r1-a0-dp-0", 56: "r1-a0-dp-1"}


@pytest.mark.parametrize(
    ("run_mode", "leader", "other"),
    [
        ("auto", ("solo", "r1-a0-dp-1", None), ("skip", None, None)),
        ("shared", ("primary", "r1-a0-dp-1", None), ("secondary", "r1-a0-dp-1", None)),
        ("new", ("solo", "r1-a0-dp-1-rank-0", "r1-a0-dp-1"), ("solo", "r1-a0-dp-1-rank-8", "r1-a0-dp-1")),
    ],
)
def test_every_run_mode_works_on_strided_parts(
    run_mode: str, leader: tuple[Any, ...], other: tuple[Any, ...], strategies: StrategyManager
) -> None:
    """Rank 56 leads the second replica; rank 8, its first rank, is the first after the last one, rank 63."""
    world = plans(strategies, USUAL, *(8,) * 8, run_mode=run_mode)
    for rank, (role, run_id, group) in ((56, leader), (8, other)):
        by = {"locate_rank": "mesh"}
        assert_plan(world[rank], role=role, run_id=run_id, group=group, part="dp-1", decided_by=by)


def test_without_per_the_world_is_one_part_with_another_leader(strategies: StrategyManager) -> None:
    world = plans(strategies, "mesh:pp=2,tp=4;lead=pp:last", 8)
    assert [rank for rank, one in enumerate(world) if one.role.opens] == [4]
    assert_plan(world[4], run_id="r1-a0", part=None)


def test_a_process_that_is_no_rank_is_a_part_of_its_own(strategies: StrategyManager) -> None:
    request = Request(run_name="r1", action_name="a0", settings=Settings(rank_scope=USUAL))
    assert_plan(plan(request, strategies), role="primary", run_id="r1-a0", part=None)


def test_a_link_leads_to_each_replica_also_where_its_leader_is_among_the_last_of_a_thousand_ranks() -> None:
    wide = ClusteredTaskEnvironment(name="wide", replicas=128, nproc_per_node=8)
    with use_plugin(flyte_wandb_mesh):

        @wandb_init(rank_scope="mesh:pp=64,dp=2,tp=8;per=dp;lead=pp:last", **PLACE)
        @wide.task
        def train() -> None: ...

        shown = preview(train)
    assert [(link.name, link.url.rpartition("/")[2]) for link in shown.links] == [
        ("Weights & Biases dp 0", "RUN-ACTION-dp-0"),
        ("Weights & Biases dp 1", "RUN-ACTION-dp-1"),
    ]


FAULTS = [
    ("mesh", "it names no dimension; write, for example, mesh:pp=4,dp=2,tp=8;per=dp;lead=pp:last"),
    ("mesh:", "it names no dimension; write, for example, mesh:pp=4,dp=2,tp=8;per=dp;lead=pp:last"),
    ("mesh:pp", "'pp' is no dimension; write <name>=<size>"),
    ("mesh:pp=0,tp=8", "'pp=0' is no dimension"),
    ("mesh:pp=-2", "'pp=-2' is no dimension"),
    ("mesh:p/p=8", "'p/p=8' is no dimension"),
    ("mesh:pp=2,pp=4", "dimension 'pp' stands twice"),
    ("mesh:pp=8;pre=pp", "'pre=pp' is neither per=<names> nor lead=<name>:<index>"),
    ("mesh:pp=8;per=", "'per=' is neither per=<names> nor lead=<name>:<index>"),
    ("mesh:pp=8;per=pp;per=pp", "per= stands twice"),
    ("mesh:pp=4,dp=2;per=ddp", "per names 'ddp', which is no dimension of this mesh (pp, dp)"),
    ("mesh:pp=4,dp=2;per=dp,dp", "per names a dimension twice: dp, dp"),
    ("mesh:pp=4,dp=2;lead=p:last", "lead names 'p', which is no dimension of this mesh (pp, dp)"),
    ("mesh:pp=4,dp=2;lead=pp:lats", "lead=pp:lats is no place along 'pp'; write pp: and first, last or an index"),
    ("mesh:pp=4,dp=2;lead=pp:4", "lead=pp:4 is no place along 'pp'; write pp: and first, last or an index from 0 to 3"),
    ("mesh:pp=4,dp=2;per=dp;lead=dp:last", "lead names 'dp', along which a part has one place only"),
    ("mesh:pp=4,dp=4", "this mesh has 4 x 4 = 16 ranks, and the world has 8; the sizes must multiply to 8"),
]


@pytest.mark.parametrize(("rank_scope", "fault"), FAULTS)
def test_a_mesh_that_cannot_be_is_refused_with_the_piece_and_the_remedy(
    rank_scope: str, fault: str, strategies: StrategyManager
) -> None:
    with pytest.raises(RefusedError) as caught:
        plans(strategies, rank_scope, 8)
    message = str(caught.value)
    assert message.startswith(f"rank_scope {rank_scope!r}: {fault}")
    assert message.endswith("(refused by plugin 'mesh' in locate_rank)")


def test_a_declared_world_of_another_size_is_an_error_where_the_task_is_decorated() -> None:
    with use_plugin(flyte_wandb_mesh), pytest.raises(HookError, match=r"16 ranks, and the world has 64"):

        @wandb_init(rank_scope="mesh:pp=4,dp=4", **PLACE)
        @RACKS.task
        def train() -> None: ...


sizes_of_meshes = st.dictionaries(st.sampled_from(["pp", "dp", "cp", "tp"]), st.integers(1, 6), min_size=1)


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    sizes = draw(sizes_of_meshes)
    per = tuple(draw(st.lists(st.sampled_from(sorted(sizes)), unique=True)))
    lead = {name: draw(st.integers(0, size - 1)) for name, size in sizes.items() if name not in per}
    return Mesh(sizes=sizes, per=per, lead=lead)


@given(meshes())
def test_parts_cover_the_mesh_and_each_is_led_from_the_place_that_was_named(mesh: Mesh) -> None:
    places = list(product(*(range(size) for size in mesh.sizes.values())))
    members: dict[str | None, list[int]] = {}
    for rank, place in enumerate(places):
        part = locate_in_mesh(mesh, rank, len(places))
        members.setdefault(part.label, []).append(part.index)
        coordinates = dict(zip(mesh.sizes, place, strict=True))
        assert part.leads == all(coordinates[name] == index for name, index in mesh.lead.items())
        assert part.label is None or part.label == "-".join(f"{name}-{coordinates[name]}" for name in mesh.per)
    for indices in members.values():
        assert sorted(indices) == list(range(len(indices)))


@given(meshes())
def test_what_is_written_is_read_back(mesh: Mesh) -> None:
    clauses = [",".join(f"{name}={size}" for name, size in mesh.sizes.items())]
    if mesh.per:
        clauses.append(f"per={','.join(mesh.per)}")
    if mesh.lead:
        clauses.append(f"lead={','.join(f'{name}:{index}' for name, index in mesh.lead.items())}")
    assert parse_mesh("; ".join(clauses)) == mesh


def test_a_scope_for_a_whole_run_of_flyte_reaches_plain_tasks() -> None:
    with use_plugin(flyte_wandb_mesh):

        @wandb_init
        @flyte.TaskEnvironment(name="plain").task
        def main() -> None: ...

        assert preview(main, context=wandb_config(rank_scope=USUAL, **PLACE)).runs == ("RUN-ACTION",)


@pytest.mark.parametrize("module", [_hooks, _mesh, _notation], ids=lambda module: module.__name__)
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
