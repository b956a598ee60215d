"""W&B's limits for many ranks: whose turn it is to open a run, and how often the writers of one run send."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import wandb
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import Part, Plan, Request, Role, Topology, hookimpl, plan
from flyte_wandb.plans._budget import (
    INTERVAL_FIELD,
    MOST_WRITERS,
    budget_notes,
    count_writers,
    find_interval,
    find_turn_delay,
    turn_delay,
)
from flyte_wandb.plans._world import world_requests
from flyte_wandb.runs._opening import build_monitor_opening, build_opening
from flyte_wandb.testing import Limits
from flyte_wandb.testing.rules._limits import Meters
from flyte_wandb.wandb_client._init import _build_settings
from flyte_wandb.wandb_client._opening import Opening
from tests.pure.worlds import ALONE, launched, manager, plans, request

BUILTIN = manager()
LIMIT = Limits().run_creations


def even(nodes: int, per_node: int, **settings: Any) -> Request:
    """The request of rank 0 of a declared world."""
    return request(Topology.even(nodes, per_node, launcher="torch-elastic"), **settings)


def delays(first: Request, strategies: Any = BUILTIN) -> list[float]:
    """How long each rank of a world waits that opens a run, in the order of ranks."""
    ranks = list(world_requests(first))
    return [find_turn_delay(one, strategies) for one in ranks if plan(one, strategies).role.opens]


def refused(moments: list[float], rate: float) -> int:
    """How many of the requests at these moments a server refuses that takes so many a second."""
    meters = Meters(Limits(run_creations=rate))
    for moment in sorted(moments):
        try:
            meters.spend("run_creations", ("p",), moment)
        except Exception:
            continue
    return meters.refused["run_creations"]


@pytest.mark.parametrize("run_mode", ["auto", "new", "shared"])
@pytest.mark.parametrize("rank_scope", ["global", "worker"])
def test_ranks_open_their_runs_one_after_the_other_as_fast_as_the_limit_lets_them(
    run_mode: str, rank_scope: str
) -> None:
    for nodes, per_node in [(1, 1), (1, 8), (3, 4), (16, 1), (5, 7)]:
        for rate in (1, 2.5, 8, 100):
            settings = {"run_mode": run_mode, "rank_scope": rank_scope, "run_creations_per_second": rate}
            found = delays(even(nodes, per_node, **settings))
            assert sorted(found) == [turn_delay(turn, rate) for turn in range(len(found))]
            assert refused(found, rate) == 0


def test_leaders_come_first_and_those_who_join_one_run_after_one_another() -> None:
    settings = {"run_mode": "shared", "rank_scope": "worker", "run_creations_per_second": 2}
    found = delays(even(3, 4, **settings))
    turns = [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert found == [turn_delay(turn, 2) for node in turns for turn in node]


@given(st.integers(1, 3000), st.floats(0.01, 500))
def test_the_limit_is_kept_and_the_first_second_s_runs_wait_for_nothing(openers: int, rate: float) -> None:
    found, first = [turn_delay(turn, rate) for turn in range(openers)], max(1, math.floor(rate))
    assert found == sorted(found)
    assert found[:first] == [0.0] * min(openers, first)
    assert found[-1] <= openers / (0.9 * rate)
    assert refused([one * 1.001 for one in found], rate) == 0  # for the last digit of a float


def test_a_thousand_ranks_take_what_the_limit_takes_and_none_is_refused() -> None:
    assert request().settings.run_creations_per_second == LIMIT
    found = [turn_delay(turn, LIMIT) for turn in range(1024)]
    assert refused(found, LIMIT) == 0
    assert refused([0.0] * 1024, LIMIT) == 1024 - LIMIT
    assert 1.05 * 1024 / LIMIT <= max(found) <= 1.15 * 1024 / LIMIT  # a rank that is refused finds a free moment


class OddRanks:
    """The odd ranks open a run each."""

    def __init__(self) -> None:
        self.asked = 0

    @hookimpl
    def choose_initializer(self, request: Request, part: Part) -> Role:
        self.asked += 1
        return Role.SOLO if request.topology.rank % 2 else Role.SKIP


def test_ranks_that_open_no_run_take_no_turn() -> None:
    found = delays(even(4, 6, run_mode="new", run_creations_per_second=2), manager(odd=OddRanks()))
    assert found == [turn_delay(turn, 2) for turn in range(12)]


def test_ranks_that_measure_their_node_take_turns_too() -> None:
    settings = {"system_metrics": "nodes", "run_creations_per_second": 2}
    ranks = list(world_requests(even(5, 3, **settings)))
    assert [find_turn_delay(one, BUILTIN) for one in ranks[::3]] == [turn_delay(turn, 2) for turn in range(5)]


def test_nobody_is_asked_where_all_ranks_fit_into_a_second_or_there_is_no_limit() -> None:
    plugin = OddRanks()
    for one in (request(), *world_requests(even(10, 8)), replace(even(9, 99, run_creations_per_second=0))):
        assert find_turn_delay(one, manager(odd=plugin)) == 0.0
    assert plugin.asked == 0


def test_where_nodes_differ_a_rank_s_turn_is_its_rank() -> None:
    ranks = launched(1, 4, 2)
    found = [find_turn_delay(request(one, run_creations_per_second=2), BUILTIN) for one in ranks]
    assert found == [turn_delay(rank, 2) for rank in range(7)]


def test_all_writers_of_a_run_stay_below_its_limit_where_an_interval_can_do_that() -> None:
    for writers in range(1, 2000):
        interval = find_interval(writers) or 15
        assert 15 <= interval < 30  # from 30 s on heartbeats come in between
        assert (writers / interval < 2) is (writers <= MOST_WRITERS)
        if interval > 15 and writers <= MOST_WRITERS:
            assert writers / (interval - 1) >= 2  # no row is later than it has to be


@pytest.mark.parametrize(
    ("nodes", "settings", "writers"),
    [
        ((40,), {"run_mode": "shared"}, 40),
        ((40,), {"run_mode": "new"}, 1),
        ((40,), {"run_mode": "auto", "joinable": True}, 1),
        ((40, 40), {"run_mode": "shared", "rank_scope": "worker"}, 40),
        ((31, 9), {"run_mode": "shared"}, 40),
        ((8, 8), {"run_mode": "shared", "rank_scope": "worker"}, 8),
        ((2,) * 40, {"system_metrics": "nodes"}, 40),
        ((40, 40), {"system_metrics": "nodes", "rank_scope": "worker"}, 1),
    ],
)
def test_who_writes_to_the_run_of_a_part_counts_all_of_them(
    nodes: tuple[int, ...], settings: dict[str, Any], writers: int
) -> None:
    for topology in launched(*nodes):
        one = request(topology, **settings)
        planned = plan(one, BUILTIN)
        if planned.role is not Role.SKIP and writers > 29:
            assert count_writers(one, planned, BUILTIN) == writers
        elif planned.role.owns:
            assert count_writers(one, planned, BUILTIN) == 1


def test_where_nodes_differ_who_measures_counts_the_nodes_as_if_all_were_of_its_own_size() -> None:
    ranks = [request(topology, system_metrics="nodes") for topology in launched(*(2,) * 39, 1)]
    first, middle, last = ranks[0], ranks[2], ranks[-1]
    found = [count_writers(one, plan(one, BUILTIN), BUILTIN) for one in (first, middle, last)]
    assert found == [40, 40, 79]  # too many: this one sends more seldom than it would have to


def opened(one: Request, mode: Any = "online") -> Any:
    return build_opening(plan(one, BUILTIN), one, mode=mode)


def test_the_writers_of_one_run_are_opened_with_the_interval_and_nobody_else_is() -> None:
    shared = [request(topology, run_mode="shared") for topology in launched(40)]
    assert [opened(one).defaults for one in shared] == [{INTERVAL_FIELD: 21}] * 40
    assert opened(shared[0], "offline").defaults == opened(shared[1], None).defaults == {}
    measuring = [request(topology, system_metrics="nodes") for topology in launched(*(2,) * 40)][::2]
    assert [opened(one).defaults[INTERVAL_FIELD] for one in measuring] == [21] * 40
    assert (
        build_monitor_opening(plan(measuring[1], BUILTIN), measuring[1], mode="online").defaults[INTERVAL_FIELD] == 21
    )
    few = [request(topology, run_mode="shared") for topology in launched(29)]
    assert [opened(one).defaults for one in (*few, request(ALONE))] == [{}] * 30


def test_what_the_user_sets_in_settings_or_by_a_variable_wins() -> None:
    writer = Opening(run_id="r1", defaults={INTERVAL_FIELD: 21})
    nothing, by_variable = wandb.Settings(), wandb.Settings(x_file_stream_transmit_interval=7)
    assert _build_settings({}, writer, nothing, None)[INTERVAL_FIELD] == 21
    assert _build_settings({INTERVAL_FIELD: 60}, writer, nothing, None)[INTERVAL_FIELD] == 60
    assert INTERVAL_FIELD not in _build_settings({}, writer, by_variable, None)


def notes(nodes: int, per_node: int, **settings: Any) -> list[str]:
    first = even(nodes, per_node, **settings)
    found: list[Plan] = plans([one.topology for one in world_requests(first)], BUILTIN, **settings)
    return list(budget_notes(first, found))


@pytest.mark.parametrize(
    ("nodes", "per_node", "settings", "expected"),
    [
        (10, 8, {"run_mode": "new"}, []),
        (128, 8, {"run_mode": "auto"}, []),
        (128, 8, {"run_mode": "new", "mode": "offline"}, []),
        (128, 8, {"run_mode": "new", "run_creations_per_second": 0}, []),
        (
            128,
            8,
            {"run_mode": "new"},
            [
                "the last of 1,024 ranks that open or join a run does so after 14 s, in turns of 80 a second "
                "(run_creations_per_second)"
            ],
        ),
        (
            100,
            8,
            {"system_metrics": "nodes", "joinable": True},
            [
                "100 ranks write to one run and send at least 3.4 requests a second, of which W&B takes 2: it makes "
                "them wait, and rows appear late; rank_scope='worker' has 1 writer for each run",
                "the last of 100 ranks that open or join a run does so after 1 s, in turns of 80 a second "
                "(run_creations_per_second)",
            ],
        ),
        (4, 7, {"run_mode": "shared"}, []),
        (
            5,
            8,
            {"run_mode": "shared"},
            [
                "40 ranks write to one run, each every 21 s rather than every 15 s, to stay below the 2 requests a "
                "second that W&B takes of a run: rows appear up to 21 s late (x_file_stream_transmit_interval in "
                "settings= sets it)"
            ],
        ),
        (5, 8, {"run_mode": "shared", "init": {"settings": {INTERVAL_FIELD: 60}}}, []),
        (
            8,
            8,
            {"run_mode": "shared"},
            [
                "64 ranks write to one run and send at least 2.2 requests a second, of which W&B takes 2: it makes "
                "them wait, and rows appear late; rank_scope='worker' has 8 writers for each run"
            ],
        ),
        (
            1,
            301,
            {"run_mode": "shared", "run_creations_per_second": 0},
            [
                "301 ranks write to one run and send at least 10.4 requests a second, of which W&B takes 2, and has "
                "tested 300 writers: it makes them wait, and rows appear late; name a rank scope with at most 57 ranks "
                "in each part, or run_mode='auto' for one writer"
            ],
        ),
    ],
)
def test_the_plan_says_what_the_limits_mean(
    nodes: int, per_node: int, settings: dict[str, Any], expected: list[str]
) -> None:
    assert notes(nodes, per_node, **settings) == expected
