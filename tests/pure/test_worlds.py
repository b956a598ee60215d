"""Properties of whole worlds, however ragged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import (
    HookError,
    Part,
    Plan,
    Request,
    Role,
    Settings,
    Strategy,
    Topology,
    hookimpl,
    plan,
    strategy_argument,
)
from flyte_wandb.plans._world import check_owners, check_world, world_requests
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


class Cuts:
    """A naming rule that makes two ids one."""

    @hookimpl(wrapper=True)
    def compute_run_id(self) -> Generator[None, str, str]:
        run_id = yield
        return run_id[:5]


class Prefixes:
    """A naming rule that is right."""

    @hookimpl(wrapper=True)
    def compute_run_id(self) -> Generator[None, str, str]:
        run_id = yield
        return f"acme-{run_id}"


class Every:
    """A run mode with many owners in a part, and no id for each of them."""

    @hookimpl
    def list_strategies(self) -> list[Strategy]:
        return [Strategy(kind="run_mode", name="every", summary="every n-th rank opens a run", example="every:2")]

    @hookimpl
    def choose_initializer(self, request: Request, part: Part) -> Role | None:
        if request.run_mode != "every":
            return None
        return Role.SKIP if part.index % int(strategy_argument(request.settings.run_mode) or 1) else Role.SOLO


class SecondaryIds:
    """A run mode that is right, and ids that are not: those of ranks that share a run differ."""

    @hookimpl(wrapper=True)
    def compute_run_id(self, part: Part) -> Generator[None, str, str]:
        run_id = yield
        return f"{run_id}-{part.index}"


class Whole:
    """A rank scope with parts of one label, which says of each rank what a function says."""

    def __init__(self, place: Callable[[Topology], tuple[int, int]]) -> None:
        self.place = place

    @hookimpl
    def locate_rank(self, request: Request) -> Part:
        index, size = self.place(request.topology)
        return Part(label="island-0", index=index, size=size)


TAKES_PART = "count the ranks of a part in `size`, and number them 0, 1, 2, ... in `index`"
SHARED: dict[str, Any] = {"run_mode": "shared"}
MISFITS: dict[str, tuple[dict[str, object], dict[str, Any], str, str]] = {
    "one id for all ranks": (
        {"careless": OneIdForAll()},
        {"run_mode": "new", "rank_scope": "worker"},
        "careless",
        "two ranks own the run 'everything': rank 0 (rank 0 of worker-0), solo, and rank 1 (rank 0 of worker-1), solo; "
        "compute_run_id of plugin 'careless' has to tell parts and ranks apart",
    ),
    "a wrapper that cuts ids": (
        {"cuts": Cuts()},
        {"run_mode": "new"},
        "cuts",
        "two ranks own the run 'r1-a0': rank 0, solo, and rank 1, solo; compute_run_id of plugin 'builtin', wrapped by "
        "'cuts', has to tell parts and ranks apart",
    ),
    "a run mode whose owners share an id": (
        {"every": Every()},
        {"run_mode": "every:2"},
        "every",
        "two ranks own the run 'r1-a0': rank 0, solo, and rank 2, solo; choose_initializer of plugin 'every' has to "
        "let one rank of a part own its run, or the plugin has to compute an id for each owner",
    ),
    "the same below a naming rule that is right": (
        {"every": Every(), "acme": Prefixes()},
        {"run_mode": "every:2"},
        "every",
        "two ranks own the run 'acme-r1-a0': rank 0, solo, and rank 2, solo; choose_initializer of plugin 'every' has "
        "to let one rank of a part own its run, or the plugin has to compute an id for each owner",
    ),
    "nobody opens the run that ranks join": (
        {"timid": AlwaysSecondary()},
        {"rank_scope": "worker"},
        "timid",
        "rank 0 (rank 0 of worker-0), secondary, joins the run 'r1-a0-worker-0', which no rank opens as PRIMARY; "
        "choose_initializer of plugin 'timid' has to answer PRIMARY for one rank of the part",
    ),
    "ranks that share a run have many ids": (
        {"ids": SecondaryIds()},
        SHARED,
        "ids",
        "rank 1, secondary, joins the run 'r1-a0-1', which no rank opens as PRIMARY; compute_run_id of plugin "
        "'builtin', wrapped by 'ids', has to give one id to all ranks that share a run",
    ),
    "index 0 for every rank": (
        {"zero": Whole(lambda topology: (0, topology.world_size))},
        {},
        "zero",
        f"rank 0 and rank 1 both have index 0 in the part 'island-0'; locate_rank of plugin 'zero' has to {TAKES_PART}",
    ),
    "a part of each rank under one label": (
        {"one": Whole(lambda topology: (0, 1))},
        {},
        "one",
        f"rank 0 and rank 1 both have index 0 in the part 'island-0'; locate_rank of plugin 'one' has to {TAKES_PART}",
    ),
    "a part that is larger than it is": (
        {"larger": Whole(lambda topology: (topology.rank, 16))},
        {},
        "larger",
        "rank 0 says that the part 'island-0' has 16 ranks, and it has 9; locate_rank of plugin 'larger' has to "
        f"{TAKES_PART}",
    ),
}


@pytest.mark.parametrize(("plugins", "settings", "culprit", "message"), MISFITS.values(), ids=MISFITS)
def test_plans_that_do_not_fit_together_name_the_plugin_at_fault_and_what_to_answer(
    plugins: dict[str, object], settings: dict[str, Any], culprit: str, message: str
) -> None:
    ragged = launched(*((1, 2) if "rank_scope" in settings else (4, 2, 3)))
    with pytest.raises(HookError) as caught:
        check_world(plans(ragged, manager(**plugins), **settings))
    assert (str(caught.value), caught.value.plugin) == (message, culprit)


def test_of_the_first_ranks_of_a_world_a_part_may_have_more_elsewhere() -> None:
    strategies = manager(all=Whole(lambda topology: (topology.rank, topology.world_size)))
    first = plans(launched(4, 2, 3), strategies)[:3]
    check_world(first, whole=False)
    other = manager(grows=Whole(lambda topology: (topology.rank, 4 + topology.rank)))
    with pytest.raises(HookError) as caught:
        check_world(plans(launched(4, 2, 3), other)[:3], whole=False)
    assert str(caught.value) == (
        "rank 1 says that the part 'island-0' has 5 ranks, and rank 0 says 4; locate_rank of plugin 'grows' has to "
        f"{TAKES_PART}"
    )


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
