"""Properties of whole worlds, however ragged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import HookError, Part, Plan, Request, Role, Settings, Topology, hookimpl, plan
from flyte_wandb.plans._world import check_owners, world_requests
from tests.pure.worlds import launched, manager, plans, request

BUILTIN = manager()

WORLDS = st.lists(st.integers(1, 5), min_size=1, max_size=5)
MODES = st.sampled_from(["auto", "new", "shared"])
SCOPES = st.sampled_from(["global", "worker"])
JOINABLE = st.sampled_from([None, True, False])
IDS = st.one_of(st.none(), st.text("abz019-_.", min_size=1, max_size=100))
REFUSED = set(":;,#?/%'")


@given(WORLDS, MODES, SCOPES, JOINABLE, IDS)
def test_every_run_of_a_world_has_one_owner_and_a_name_that_wandb_takes(
    nodes: list[int], mode: str, scope: str, joinable: bool | None, run_id: str | None
) -> None:
    found = plans(launched(*nodes), BUILTIN, run_mode=mode, rank_scope=scope, joinable=joinable, id=run_id)
    check_owners(found)
    owned = [one.run_id for one in found if one.role in (Role.SOLO, Role.PRIMARY)]
    assert len(owned) == len(set(owned)) > 0
    for name in [one.run_id for one in found if one.run_id] + [one.group for one in found if one.group]:
        assert 1 <= len(name) <= 128
        assert not REFUSED & set(name)


@given(WORLDS, MODES, SCOPES)
def test_parts_are_whole_and_add_up_to_the_world(nodes: list[int], mode: str, scope: str) -> None:
    found = plans(launched(*nodes), BUILTIN, run_mode=mode, rank_scope=scope)
    parts: defaultdict[str | None, list[Part]] = defaultdict(list)
    for one in found:
        parts[one.part.label].append(one.part)
    for ranks in parts.values():
        assert sorted(part.index for part in ranks) == list(range(len(ranks)))
        assert {part.size for part in ranks} == {len(ranks)}
    assert len(parts) == (len(nodes) if scope == "worker" else 1)


@given(WORLDS, SCOPES)
def test_every_secondary_joins_the_primary_of_its_own_part(nodes: list[int], scope: str) -> None:
    found = plans(launched(*nodes), BUILTIN, run_mode="shared", rank_scope=scope)
    primaries = {one.part.label: one.run_id for one in found if one.role is Role.PRIMARY}
    secondaries = [one for one in found if one.role is Role.SECONDARY]
    assert len(primaries) + len(secondaries) == sum(nodes)
    assert [one.run_id for one in secondaries] == [primaries[one.part.label] for one in secondaries]


@given(WORLDS, MODES, SCOPES)
def test_every_run_that_a_part_has_is_measured_once_on_each_of_its_nodes(
    nodes: list[int], mode: str, scope: str
) -> None:
    ranks = launched(*nodes)
    found = plans(ranks, BUILTIN, run_mode=mode, rank_scope=scope, system_metrics="nodes")
    check_owners(found)
    runs = plans(ranks, BUILTIN, run_mode=mode, rank_scope=scope)
    assert [one.run_id for one in found if one.role.opens] == [one.run_id for one in runs if one.role.opens]
    monitors = [(one.run_id, rank.worker_index) for one, rank in zip(found, ranks, strict=True) if is_monitor(one)]
    assert monitors == (
        [("r1-a0", node) for node in range(1, len(nodes))] if (mode, scope) == ("auto", "global") else []
    )


def is_monitor(one: Plan) -> bool:
    return one.role is Role.MONITOR


@given(WORLDS, MODES, SCOPES, JOINABLE)
def test_a_plan_is_the_same_whenever_it_is_made(nodes: list[int], mode: str, scope: str, joinable: bool | None) -> None:
    settings = {"run_mode": mode, "rank_scope": scope, "joinable": joinable}
    assert plans(launched(*nodes), BUILTIN, **settings) == plans(launched(*nodes), manager(), **settings)


@given(WORLDS, MODES, SCOPES)
def test_a_restart_changes_no_plan(nodes: list[int], mode: str, scope: str) -> None:
    again = [replace(one, restart_count=3) for one in launched(*nodes)]
    settings = {"run_mode": mode, "rank_scope": scope}
    assert plans(again, BUILTIN, **settings) == plans(launched(*nodes), BUILTIN, **settings)


@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_the_declared_world_has_every_rank_once_and_in_order(workers: int, per_node: int, data: st.DataObject) -> None:
    ranks = launched(*[per_node] * workers)
    anywhere = data.draw(st.sampled_from(ranks))
    asked = request(anywhere, run_mode="new", tags=("a",))
    found = list(world_requests(asked))
    assert [one.topology for one in found] == ranks
    assert [replace(one, topology=anywhere) for one in found] == [asked] * len(ranks)


def test_the_world_of_a_plain_task_is_its_own_request() -> None:
    assert list(world_requests(request())) == [request()]


class OneIdForAll:
    @hookimpl
    def compute_run_id(self) -> str:
        return "everything"


class AlwaysSecondary:
    @hookimpl
    def choose_initializer(self) -> Role:
        return Role.SECONDARY


def test_ranks_that_own_one_run_are_an_error_that_names_both_ranks_and_the_plugin() -> None:
    found = plans(launched(1, 2), manager(careless=OneIdForAll()), run_mode="new", rank_scope="worker")
    with pytest.raises(HookError) as caught:
        check_owners(found)
    words = ["'everything'", "rank 0 of worker-0", "rank 0 of worker-1", "'careless'"]
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_wrapper_that_makes_two_ids_one_is_named() -> None:
    class Cuts:
        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, str]:
            run_id = yield
            return run_id[:5]

    with pytest.raises(HookError, match="'cuts'"):
        check_owners(plans(launched(2), manager(cuts=Cuts()), run_mode="new"))


def test_a_secondary_without_a_primary_is_an_error_that_names_rank_run_and_plugin() -> None:
    found = plans(launched(2, 1), manager(timid=AlwaysSecondary()), rank_scope="worker")
    with pytest.raises(HookError, match=r"'r1-a0-worker-\d', which no rank opens as PRIMARY") as caught:
        check_owners(found)
    assert "of worker-" in str(caught.value)
    assert "'timid'" in str(caught.value)


@pytest.mark.parametrize(
    ("roles", "fits"),
    [
        ([Role.PRIMARY, Role.SECONDARY, Role.SECONDARY], True),
        ([Role.SECONDARY, Role.PRIMARY], True),
        ([Role.SOLO], True),
        ([Role.JOIN, Role.JOIN], True),
        ([Role.PRIMARY, Role.JOIN], True),
        ([Role.SOLO, Role.SECONDARY], False),
        ([Role.SECONDARY], False),
        ([Role.MONITOR, Role.PRIMARY, Role.SECONDARY], True),
        ([Role.SOLO, Role.MONITOR], False),
        ([Role.MONITOR], False),
        ([Role.MONITOR, Role.PRIMARY, Role.PRIMARY], False),
        ([Role.JOIN, Role.SECONDARY], False),
        ([Role.PRIMARY, Role.PRIMARY], False),
        ([Role.SOLO, Role.PRIMARY], False),
        ([Role.SOLO, Role.SOLO], False),
    ],
)
def test_writers_of_one_run_that_fit_together(roles: list[Role], fits: bool) -> None:
    found = [Plan(part=Part(), role=role, run_id="r1", group=None, steps=()) for role in roles]
    if fits:
        check_owners(found)
        assert {one.run_id for one in found} == {"r1"}
    else:
        with pytest.raises(HookError, match="'r1'"):
            check_owners(found)


def test_ranks_that_skip_own_nothing() -> None:
    skips = Plan(part=Part(), role=Role.SKIP, run_id=None, group=None, steps=())
    check_owners([skips, skips])
    assert not skips.role.opens


@pytest.mark.parametrize(("index", "size"), [(4, 4), (-1, 4), (0, 0)])
def test_a_part_holds_its_own_rank(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=rf"index {index} is outside a part of {size} rank"):
        Part(label="half-0", index=index, size=size)


def test_a_part_without_a_name_is_the_world_and_says_so_with_none() -> None:
    with pytest.raises(ValueError, match="None means the whole world"):
        Part(label="")


@given(st.integers(1, 64), st.sampled_from(["auto", "shared", "new"]))
def test_the_names_of_different_actions_never_meet(size: int, mode: str) -> None:
    here = launched(size)[0]
    ids = [
        plan(Request(run_name=run, action_name=action, topology=here, settings=Settings(run_mode=mode)), BUILTIN).run_id
        for run, action in [("r1", "a0"), ("r1", "a1"), ("r2", "a0")]
    ]
    assert len(set(ids)) == 3


def test_a_launcher_is_not_needed_to_be_known() -> None:
    topology = Topology(rank=1, world_size=2, local_rank=1, local_world_size=2, launcher="slurm")
    assert plan(request(topology, run_mode="new"), BUILTIN).run_id == "r1-a0-rank-1"
