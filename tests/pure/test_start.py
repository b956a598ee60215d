"""Where a run starts: what contradicts itself, what a context hands on, and what each role and attempt asks of W&B."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from flyte_wandb import ParentRun, Request, SettingError, Topology, plan, wandb_config, wandb_init
from flyte_wandb._start import BRANCHES, START
from flyte_wandb.runs._opening import build_opening
from flyte_wandb.settings._merge import merge_settings
from flyte_wandb.settings._schema import check_settings
from flyte_wandb.wandb_client._opening import Mode, Opening
from tests.pure.worlds import ALONE, launched, manager

FORK: dict[str, Any] = {"fork_from": "old?_step=3"}
BACK: dict[str, Any] = {"resume_from": "old?_step=3"}
FUNCTIONS: list[Any] = [wandb_init, wandb_config]
AGAIN: list[dict[str, Any]] = [{"attempt": 2}, {"topology": Topology(launcher="x", restart_count=1)}]
ABOVE = ParentRun(run_id="r1-top", joinable=True)


def asked(
    topology: Topology = ALONE,
    parent: ParentRun | None = None,
    context: dict[str, Any] | None = None,
    attempt: int = 1,
    **settings: Any,
) -> Request:
    given = merge_settings(context or {}, check_settings(settings, "wandb_init"), parent=parent, action_name="a0")
    return Request(run_name="r1", action_name="a0", settings=given, topology=topology, parent=parent, attempt=attempt)


def opened(one: Request, mode: Mode | None = "online") -> Opening:
    return build_opening(plan(one, manager()), one, mode=mode)


def start(found: Opening) -> dict[str, Any]:
    return {name: found.arguments[name] for name in START if name in found.arguments}


@pytest.mark.parametrize("moment", ["old", "old?_step=", "old?_step=x", "old?loss=3", "?_step=3", "a/b?_step=3", "", 3])
@pytest.mark.parametrize("name", BRANCHES)
def test_a_moment_that_wandb_would_not_understand_is_refused_where_it_is_written(name: str, moment: object) -> None:
    for function in FUNCTIONS:
        with pytest.raises(SettingError, match="expected "):
            function(**{name: moment})


PAIRS: list[dict[str, Any]] = [
    {**FORK, "resume": "allow"},
    {**BACK, "resume": "must"},
    {**FORK, **BACK},
    {**FORK, "joinable": True},
    {**BACK, "joinable": True},
    {**BACK, "id": "other"},
    {**FORK, "id": "old"},
    *({"on_retry": "restart", **other} for other in (FORK, BACK, {"resume": "allow"}, {"joinable": True})),
    {"on_retry": "restart", "checkpoint_step": 0},
]


@pytest.mark.parametrize("settings", PAIRS)
def test_what_contradicts_itself_is_refused_where_it_is_written_and_names_the_settings(
    settings: dict[str, Any],
) -> None:
    for function in FUNCTIONS:
        with pytest.raises(SettingError) as caught:
            function(**settings)
        assert all(name in str(caught.value) for name in settings)


@pytest.mark.parametrize("settings", [{**FORK, "id": "new"}, {**BACK, "id": "old"}, {**FORK, "resume": False}])
def test_what_fits_together_is_taken(settings: dict[str, Any]) -> None:
    assert check_settings(settings, "wandb_init") == settings


@pytest.mark.parametrize(("outer", "inner"), list(itertools.permutations([FORK, BACK, {"resume": "must"}], 2)))
def test_the_decorators_start_replaces_that_of_the_context(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    assert start(opened(asked(context=outer, **inner))) == inner


def test_context_and_decorator_that_contradict_each_other_are_an_error_that_names_both() -> None:
    with pytest.raises(SettingError, match=r"contradict each other for 'a0': resume_from='old.*id='mine'"):
        asked(context=BACK, id="mine")


def test_who_goes_back_in_a_run_has_its_id_and_who_forks_one_does_not() -> None:
    assert (opened(asked(**BACK)).run_id, opened(asked(**FORK)).run_id) == ("old", "r1-a0")


@pytest.mark.parametrize("branch", [FORK, BACK])
def test_a_run_that_starts_at_a_step_has_one_writer(branch: dict[str, Any]) -> None:
    found = opened(asked(**branch))
    assert (found.shared, start(found)) == (False, branch)


def test_a_run_to_go_back_in_is_that_of_the_first_tracked_action_only() -> None:
    below = asked(parent=replace(ABOVE, joinable=False), context=BACK)
    assert (start(opened(below)), opened(below).run_id) == ({"resume": "allow"}, "r1-a0")


@pytest.mark.parametrize("settings", [FORK, {"resume": "must"}, {"resume": "never"}])
@pytest.mark.parametrize("attempt", [1, 2])
def test_who_joins_a_run_never_says_where_it_starts(settings: dict[str, Any], attempt: int) -> None:
    assert start(opened(asked(parent=ABOVE, attempt=attempt, **settings))) == {}
    # In its parent's process, whose run may have ended by then, W&B would start it over without this.
    assert start(opened(asked(parent=ABOVE, attempt=attempt, **settings), None)) == {"resume": "allow"}


@pytest.mark.parametrize("settings", [FORK, {"resume": "must"}])
def test_offline_a_joiner_keeps_a_run_of_its_own_that_it_goes_on_with(settings: dict[str, Any]) -> None:
    assert start(opened(asked(parent=ABOVE, **settings), "offline")) == {"resume": "allow"}


@pytest.mark.parametrize(
    ("settings", "asks", "forks"),
    [
        ({}, {"resume": "allow"}, None),
        (BACK, {"resume": "allow"}, None),
        ({"resume": "never"}, {"resume": "allow"}, None),
        ({"resume": False}, {"resume": "allow"}, None),
        ({"resume": "must"}, {"resume": "must"}, None),
        (FORK, {"resume": "must"}, "old?_step=3"),
    ],
)
@pytest.mark.parametrize("again", AGAIN)
def test_another_attempt_or_restart_goes_on_with_its_run(
    settings: dict[str, Any], asks: dict[str, Any], forks: str | None, again: dict[str, Any]
) -> None:
    found = opened(asked(**again, **settings))
    assert (start(found), found.fork_from) == (asks, forks)


def test_an_attempt_with_a_run_of_its_own_starts_as_the_first_one_did() -> None:
    found = opened(asked(attempt=2, on_retry="new", **FORK))
    assert (found.run_id, start(found), found.fork_from) == ("r1-a0-attempt-2", FORK, None)


@pytest.mark.parametrize(
    ("request_", "over", "asks"),
    [
        ({"attempt": 1}, False, {"resume": "allow"}),
        ({"attempt": 2}, True, {}),
        ({"attempt": 2, "topology": Topology(launcher="x", restart_count=1)}, False, {"resume": "allow"}),
        ({"attempt": 2, "parent": ABOVE}, False, {}),
    ],
)
def test_another_attempt_starts_its_own_run_over_and_a_restart_of_ranks_goes_on(
    request_: dict[str, Any], over: bool, asks: dict[str, Any]
) -> None:
    found = opened(asked(on_retry="restart", **request_))
    assert (found.starts_over, start(found), found.rewind) == (over, asks, None)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"on_retry": "restart", "run_mode": "shared"},
            "on_retry='restart' cannot be used: several processes write to the run 'r1-a0'",
        ),
        ({**FORK, "run_mode": "shared"}, "fork_from='old.*several processes write"),
        ({**BACK, "run_mode": "shared"}, "resume_from='old.*several processes write"),
        ({**BACK, "run_mode": "new"}, "goes back in a run other than this rank's, 'old-rank-0'"),
        ({"fork_from": "r1-a0?_step=3"}, "forks from the run that it opens"),
    ],
)
def test_a_run_that_cannot_start_at_the_step_is_an_error_that_names_it(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingError, match=fault):
        opened(asked(launched(2)[0], **settings))


@pytest.mark.parametrize("rank", [0, 1])
def test_each_rank_with_a_run_of_its_own_forks_it(rank: int) -> None:
    found = opened(asked(launched(2)[rank], run_mode="new", **FORK))
    assert (found.run_id, start(found)) == (f"r1-a0-rank-{rank}", FORK)
