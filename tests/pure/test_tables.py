"""The behaviour tables: role, run id and group of every rank, written out."""

from __future__ import annotations

import pytest

from flyte_wandb import ParentRun, Part, RefusedError, Request, SettingError, Topology, hookimpl, plan
from flyte_wandb.plans._world import check_owners
from tests.pure.worlds import launched, manager, plan_text, plans, request

OPEN = ParentRun(run_id="r1-top", group="g")
CLOSED = ParentRun(run_id="r1-top", joinable=False)
CLOSED_IN_GROUP = ParentRun(run_id="r1-top", joinable=False, group="g")

RANKS = [
    ("auto", "global", (4,), ["solo r1-a0", "skip", "skip", "skip"]),
    ("auto", "worker", (4,), ["solo r1-a0", "skip", "skip", "skip"]),
    ("shared", "global", (4,), ["primary r1-a0", "secondary r1-a0", "secondary r1-a0", "secondary r1-a0"]),
    ("shared", "worker", (4,), ["primary r1-a0", "secondary r1-a0", "secondary r1-a0", "secondary r1-a0"]),
    (
        "new",
        "global",
        (4,),
        [
            "solo r1-a0-rank-0 in r1-a0",
            "solo r1-a0-rank-1 in r1-a0",
            "solo r1-a0-rank-2 in r1-a0",
            "solo r1-a0-rank-3 in r1-a0",
        ],
    ),
    (
        "new",
        "worker",
        (4,),
        [
            "solo r1-a0-rank-0 in r1-a0",
            "solo r1-a0-rank-1 in r1-a0",
            "solo r1-a0-rank-2 in r1-a0",
            "solo r1-a0-rank-3 in r1-a0",
        ],
    ),
    ("auto", "global", (2, 2), ["solo r1-a0", "skip", "skip", "skip"]),
    ("auto", "worker", (2, 2), ["solo r1-a0-worker-0", "skip", "solo r1-a0-worker-1", "skip"]),
    ("shared", "global", (2, 2), ["primary r1-a0", "secondary r1-a0", "secondary r1-a0", "secondary r1-a0"]),
    (
        "shared",
        "worker",
        (2, 2),
        [
            "primary r1-a0-worker-0",
            "secondary r1-a0-worker-0",
            "primary r1-a0-worker-1",
            "secondary r1-a0-worker-1",
        ],
    ),
    (
        "new",
        "global",
        (2, 2),
        [
            "solo r1-a0-rank-0 in r1-a0",
            "solo r1-a0-rank-1 in r1-a0",
            "solo r1-a0-rank-2 in r1-a0",
            "solo r1-a0-rank-3 in r1-a0",
        ],
    ),
    (
        "new",
        "worker",
        (2, 2),
        [
            "solo r1-a0-worker-0-rank-0 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-1 in r1-a0-worker-0",
            "solo r1-a0-worker-1-rank-0 in r1-a0-worker-1",
            "solo r1-a0-worker-1-rank-1 in r1-a0-worker-1",
        ],
    ),
    ("auto", "global", (2, 1), ["solo r1-a0", "skip", "skip"]),
    ("auto", "worker", (2, 1), ["solo r1-a0-worker-0", "skip", "solo r1-a0-worker-1"]),
    ("shared", "global", (2, 1), ["primary r1-a0", "secondary r1-a0", "secondary r1-a0"]),
    (
        "shared",
        "worker",
        (2, 1),
        ["primary r1-a0-worker-0", "secondary r1-a0-worker-0", "primary r1-a0-worker-1"],
    ),
    (
        "new",
        "global",
        (2, 1),
        ["solo r1-a0-rank-0 in r1-a0", "solo r1-a0-rank-1 in r1-a0", "solo r1-a0-rank-2 in r1-a0"],
    ),
    (
        "new",
        "worker",
        (2, 1),
        [
            "solo r1-a0-worker-0-rank-0 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-1 in r1-a0-worker-0",
            "solo r1-a0-worker-1-rank-0 in r1-a0-worker-1",
        ],
    ),
    (
        "auto",
        "worker",
        (6, 4),
        ["solo r1-a0-worker-0", *["skip"] * 5, "solo r1-a0-worker-1", *["skip"] * 3],
    ),
    (
        "shared",
        "worker",
        (6, 4),
        [
            "primary r1-a0-worker-0",
            *["secondary r1-a0-worker-0"] * 5,
            "primary r1-a0-worker-1",
            *["secondary r1-a0-worker-1"] * 3,
        ],
    ),
    (
        "new",
        "worker",
        (6, 4),
        [
            "solo r1-a0-worker-0-rank-0 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-1 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-2 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-3 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-4 in r1-a0-worker-0",
            "solo r1-a0-worker-0-rank-5 in r1-a0-worker-0",
            "solo r1-a0-worker-1-rank-0 in r1-a0-worker-1",
            "solo r1-a0-worker-1-rank-1 in r1-a0-worker-1",
            "solo r1-a0-worker-1-rank-2 in r1-a0-worker-1",
            "solo r1-a0-worker-1-rank-3 in r1-a0-worker-1",
        ],
    ),
    ("auto", "global", (6, 4), ["solo r1-a0", *["skip"] * 9]),
    ("shared", "global", (6, 4), ["primary r1-a0", *["secondary r1-a0"] * 9]),
    (
        "new",
        "global",
        (6, 4),
        [
            "solo r1-a0-rank-0 in r1-a0",
            "solo r1-a0-rank-1 in r1-a0",
            "solo r1-a0-rank-2 in r1-a0",
            "solo r1-a0-rank-3 in r1-a0",
            "solo r1-a0-rank-4 in r1-a0",
            "solo r1-a0-rank-5 in r1-a0",
            "solo r1-a0-rank-6 in r1-a0",
            "solo r1-a0-rank-7 in r1-a0",
            "solo r1-a0-rank-8 in r1-a0",
            "solo r1-a0-rank-9 in r1-a0",
        ],
    ),
    ("auto", "global", (1,), ["solo r1-a0"]),
    ("auto", "worker", (1,), ["solo r1-a0"]),
    ("shared", "global", (1,), ["primary r1-a0"]),
    ("shared", "worker", (1,), ["primary r1-a0"]),
    ("new", "global", (1,), ["solo r1-a0-rank-0 in r1-a0"]),
    ("new", "worker", (1,), ["solo r1-a0-rank-0 in r1-a0"]),
]


@pytest.mark.parametrize(("mode", "scope", "nodes", "expected"), RANKS)
def test_every_rank_of_a_launched_world(mode: str, scope: str, nodes: tuple[int, ...], expected: list[str]) -> None:
    assert [plan_text(one) for one in plans(launched(*nodes), run_mode=mode, rank_scope=scope)] == expected


@pytest.mark.parametrize(("mode", "scope", "nodes", "expected"), RANKS)
def test_ranks_below_a_tracked_parent_open_the_same_runs_as_without_one(
    mode: str, scope: str, nodes: tuple[int, ...], expected: list[str]
) -> None:
    asked = [request(one, parent=OPEN, run_mode=mode, rank_scope=scope) for one in launched(*nodes)]
    assert [plan_text(plan(one, manager())) for one in asked] == expected


@pytest.mark.parametrize(
    ("mode", "scope", "expected"),
    [
        ("auto", "global", ["solo resnet", "skip", "skip"]),
        ("auto", "worker", ["solo resnet-worker-0", "skip", "solo resnet-worker-1"]),
        ("shared", "global", ["primary resnet", "secondary resnet", "secondary resnet"]),
        ("shared", "worker", ["primary resnet-worker-0", "secondary resnet-worker-0", "primary resnet-worker-1"]),
        (
            "new",
            "global",
            ["solo resnet-rank-0 in resnet", "solo resnet-rank-1 in resnet", "solo resnet-rank-2 in resnet"],
        ),
        (
            "new",
            "worker",
            [
                "solo resnet-worker-0-rank-0 in resnet-worker-0",
                "solo resnet-worker-0-rank-1 in resnet-worker-0",
                "solo resnet-worker-1-rank-0 in resnet-worker-1",
            ],
        ),
    ],
)
def test_an_explicit_id_keeps_the_suffixes_of_part_and_rank(mode: str, scope: str, expected: list[str]) -> None:
    found = plans(launched(2, 1), run_mode=mode, rank_scope=scope, id="resnet")
    assert [plan_text(one) for one in found] == expected


@pytest.mark.parametrize(
    ("mode", "scope", "expected"),
    [
        ("auto", "global", ["solo r1-a0 in mine", "skip", "skip"]),
        ("auto", "worker", ["solo r1-a0-worker-0 in mine", "skip", "solo r1-a0-worker-1 in mine"]),
        ("shared", "global", ["primary r1-a0 in mine", "secondary r1-a0 in mine", "secondary r1-a0 in mine"]),
        (
            "shared",
            "worker",
            ["primary r1-a0-worker-0 in mine", "secondary r1-a0-worker-0 in mine", "primary r1-a0-worker-1 in mine"],
        ),
        (
            "new",
            "global",
            ["solo r1-a0-rank-0 in mine", "solo r1-a0-rank-1 in mine", "solo r1-a0-rank-2 in mine"],
        ),
        (
            "new",
            "worker",
            [
                "solo r1-a0-worker-0-rank-0 in mine",
                "solo r1-a0-worker-0-rank-1 in mine",
                "solo r1-a0-worker-1-rank-0 in mine",
            ],
        ),
    ],
)
def test_an_explicit_group_replaces_every_other(mode: str, scope: str, expected: list[str]) -> None:
    found = plans(launched(2, 1), run_mode=mode, rank_scope=scope, group="mine")
    assert [plan_text(one) for one in found] == expected


@pytest.mark.parametrize(
    ("mode", "joinable", "expected"),
    [
        ("auto", True, ["primary r1-a0", "skip"]),
        ("auto", False, ["solo r1-a0", "skip"]),
        ("new", True, ["primary r1-a0-rank-0 in r1-a0", "primary r1-a0-rank-1 in r1-a0"]),
        ("new", False, ["solo r1-a0-rank-0 in r1-a0", "solo r1-a0-rank-1 in r1-a0"]),
        ("shared", False, ["primary r1-a0", "secondary r1-a0"]),
    ],
)
def test_joinable_makes_a_ranks_own_run_one_that_children_may_join(
    mode: str, joinable: bool, expected: list[str]
) -> None:
    assert [plan_text(one) for one in plans(launched(2), run_mode=mode, joinable=joinable)] == expected


@pytest.mark.parametrize(
    ("nodes", "mode", "scope", "expected"),
    [
        ((2, 2), "auto", "global", ["primary r1-a0", "skip", "monitor r1-a0", "skip"]),
        ((1, 3, 1), "auto", "global", ["primary r1-a0", "monitor r1-a0", "skip", "skip", "monitor r1-a0"]),
        ((3,), "auto", "global", ["solo r1-a0", "skip", "skip"]),
        ((2, 1), "auto", "worker", ["solo r1-a0-worker-0", "skip", "solo r1-a0-worker-1"]),
        ((2, 1), "shared", "global", ["primary r1-a0", "secondary r1-a0", "secondary r1-a0"]),
        ((1, 1), "new", "global", ["solo r1-a0-rank-0 in r1-a0", "solo r1-a0-rank-1 in r1-a0"]),
    ],
)
def test_metrics_of_all_nodes_need_a_rank_of_each_node_that_has_no_writer(
    nodes: tuple[int, ...], mode: str, scope: str, expected: list[str]
) -> None:
    found = plans(launched(*nodes), run_mode=mode, rank_scope=scope, system_metrics="nodes")
    assert [plan_text(one) for one in found] == expected


class EveryOther:
    """Two parts that both have ranks on every node; the last rank of each leads."""

    @hookimpl
    def locate_rank(self, request: Request) -> Part:
        here = request.topology
        return Part(
            label=f"odd-{here.rank % 2}", index=(here.world_size - 1 - here.rank) // 2, size=here.world_size // 2
        )


def test_parts_that_lie_across_nodes_are_measured_where_they_have_ranks() -> None:
    found = plans(launched(4, 4), manager(other=EveryOther()), system_metrics="nodes")
    assert [(one.role.value, one.run_id, one.part.node_ranks) for one in found] == [
        ("monitor", "r1-a0-odd-0", (0, 2)),
        ("monitor", "r1-a0-odd-1", (1, 3)),
        ("skip", None, (0, 2)),
        ("skip", None, (1, 3)),
        ("skip", None, (2, 0)),
        ("skip", None, (3, 1)),
        ("primary", "r1-a0-odd-0", (2, 0)),
        ("primary", "r1-a0-odd-1", (3, 1)),
    ]
    check_owners(found)


def test_a_plain_task_has_the_same_plan_whosever_metrics_it_asks_for() -> None:
    for joinable in (None, False):
        plain, measured = (
            plan(request(joinable=joinable, system_metrics=whose), manager()) for whose in ("owner", "nodes")
        )
        assert plain == measured


@pytest.mark.parametrize("rank", range(4))
def test_one_writer_and_metrics_of_all_nodes_are_refused_on_every_rank(rank: int) -> None:
    asked = request(launched(2, 2)[rank], joinable=False, system_metrics="nodes")
    with pytest.raises(RefusedError, match=r"system_metrics='nodes'.*joinable=False.*remove one of the two"):
        plan(asked, manager())


def test_ranks_that_are_dealt_out_over_nodes_are_refused_with_their_place() -> None:
    dealt = Topology(rank=0, world_size=4, local_rank=1, local_world_size=2, num_workers=2, launcher="mine")
    with pytest.raises(SettingError, match=r"rank 0 of 4 is rank 1 of the 2 on its node"):
        plan(request(dealt, system_metrics="nodes"), manager())


@pytest.mark.parametrize("scope", ["global", "worker"])
@pytest.mark.parametrize(
    ("mode", "parent", "joinable", "expected"),
    [
        ("auto", None, None, "primary r1-a0"),
        ("auto", None, True, "primary r1-a0"),
        ("auto", None, False, "solo r1-a0"),
        ("auto", OPEN, None, "join r1-top in g"),
        ("auto", OPEN, False, "join r1-top in g"),
        ("auto", CLOSED, None, "primary r1-a0 in r1-top"),
        ("auto", CLOSED, False, "solo r1-a0 in r1-top"),
        ("auto", CLOSED_IN_GROUP, None, "primary r1-a0 in g"),
        ("new", None, None, "primary r1-a0"),
        ("new", None, False, "solo r1-a0"),
        ("new", OPEN, None, "primary r1-a0"),
        ("new", CLOSED, None, "primary r1-a0"),
        ("shared", OPEN, None, "join r1-top in g"),
    ],
)
def test_a_plain_task(scope: str, mode: str, parent: ParentRun | None, joinable: bool | None, expected: str) -> None:
    asked = request(parent=parent, run_mode=mode, rank_scope=scope, joinable=joinable)
    assert plan_text(plan(asked, manager())) == expected


@pytest.mark.parametrize(
    ("mode", "parent", "expected"),
    [
        ("auto", None, "primary mine in ours"),
        ("new", OPEN, "primary mine in ours"),
        ("auto", CLOSED, "primary mine in ours"),
        ("auto", OPEN, "join r1-top in g"),
        ("shared", OPEN, "join r1-top in g"),
    ],
)
def test_an_explicit_id_and_group_of_a_plain_task_give_way_to_the_parents_run_only(
    mode: str, parent: ParentRun | None, expected: str
) -> None:
    assert plan_text(plan(request(parent=parent, run_mode=mode, id="mine", group="ours"), manager())) == expected


def test_a_shared_task_without_a_tracked_parent_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"no action above this one is tracked.*'builtin' in choose_initializer"):
        plan(request(run_mode="shared"), manager())


def test_a_shared_task_below_a_closed_run_is_refused_with_its_id_and_the_remedy() -> None:
    with pytest.raises(RefusedError, match=r"'r1-top'.*remove joinable=False from the parent"):
        plan(request(parent=CLOSED, run_mode="shared"), manager())


def test_a_shared_world_of_ranks_needs_no_parent_that_can_be_joined() -> None:
    asked = [request(one, parent=CLOSED, run_mode="shared") for one in launched(2)]
    assert [plan_text(plan(one, manager())) for one in asked] == ["primary r1-a0", "secondary r1-a0"]


def test_a_rank_needs_a_launcher_for_a_run_of_its_own_name() -> None:
    assert plan_text(plan(request(Topology(launcher=None), run_mode="new"), manager())) == "primary r1-a0"
    assert plan_text(plan(request(Topology(launcher="any"), run_mode="new"), manager())) == "solo r1-a0-rank-0 in r1-a0"


def test_the_steps_name_every_decision_in_order_with_its_author() -> None:
    asked = plan(request(launched(2)[0]), manager())
    assert [(step.hook, step.plugin) for step in asked.steps] == [
        ("locate_rank", "builtin"),
        ("choose_initializer", "builtin"),
        ("compute_run_id", "builtin"),
        ("compute_group", "builtin"),
    ]


def test_a_rank_that_skips_and_a_task_that_joins_are_asked_for_no_name() -> None:
    skips, joins = plan(request(launched(2)[1]), manager()), plan(request(parent=OPEN), manager())
    assert [step.hook for step in skips.steps] == ["locate_rank", "choose_initializer"]
    assert [step.hook for step in joins.steps] == ["locate_rank", "choose_initializer"]
