"""The trial of a sweep in the plan of its task: exactly the run of rank 0's part has the trial's id."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_wandb import HookError, Plan, Request, Role, StrategyManager, Topology, Trial, hookimpl, plan
from flyte_wandb.plans._inherited import TRIAL_KEY, agent_trial, read_trial, write_trial
from flyte_wandb.plans._world import check_owners
from flyte_wandb.runs._opening import build_opening
from flyte_wandb.settings._context import write_record
from tests.pure.worlds import ALONE, launched, manager, plan_text, request

TRIAL = Trial(run_id="x7k2", sweep_id="s1", parameters={"lr": 0.1}, project="vision", entity="team")


class Acme:
    """A naming rule that renames every id and group."""

    @hookimpl(wrapper=True)
    def compute_run_id(self) -> Generator[None, str, str]:
        run_id = yield
        return f"acme-{run_id}"


class OneForAll:
    """A rule that gives all ranks one name."""

    @hookimpl
    def compute_run_id(self) -> str:
        return "the-same"


BUILTIN, ACME = manager(), manager(acme=Acme())


def trials_plans(
    topologies: list[Topology], strategies: StrategyManager = BUILTIN, trial: Trial | None = TRIAL, **settings: Any
) -> list[Plan]:
    return [plan(replace(request(one, **settings), trial=trial), strategies) for one in topologies]


WORLDS = st.lists(st.integers(1, 4), min_size=1, max_size=4)
MODES = st.sampled_from(["auto", "new", "shared"])
SCOPES = st.sampled_from(["global", "worker"])


@settings(deadline=None)
@given(WORLDS, MODES, SCOPES, st.sampled_from([BUILTIN, ACME]), st.sampled_from([None, "resnet"]))
def test_exactly_the_run_that_rank_0_writes_to_has_the_trials_id(
    nodes: list[int], mode: str, scope: str, strategies: StrategyManager, run_id: str | None
) -> None:
    found = trials_plans(launched(*nodes), strategies, run_mode=mode, rank_scope=scope, id=run_id)
    check_owners(found)
    plain = trials_plans(launched(*nodes), strategies, trial=None, run_mode=mode, rank_scope=scope, id=run_id)
    assert [one.role for one in found] == [one.role for one in plain]
    assert [one.run_id == TRIAL.run_id for one in found] == [one.run_id == plain[0].run_id for one in plain]
    assert [one.group is None for one in found] == [one.group is None for one in plain]
    assert all(TRIAL.run_id in one.run_id for one in found if one.run_id)


@pytest.mark.parametrize(
    ("mode", "scope", "expected"),
    [
        ("auto", "global", ["solo x7k2", "skip", "skip", "skip"]),
        ("auto", "worker", ["solo x7k2", "skip", "solo x7k2-worker-1", "skip"]),
        ("shared", "global", ["primary x7k2", *["secondary x7k2"] * 3]),
        (
            "shared",
            "worker",
            ["primary x7k2", "secondary x7k2", *[f"{r} x7k2-worker-1" for r in ("primary", "secondary")]],
        ),
        ("new", "global", ["solo x7k2 in x7k2", *[f"solo x7k2-rank-{rank} in x7k2" for rank in (1, 2, 3)]]),
        (
            "new",
            "worker",
            [
                "solo x7k2 in x7k2-worker-0",
                "solo x7k2-worker-0-rank-1 in x7k2-worker-0",
                "solo x7k2-worker-1-rank-0 in x7k2-worker-1",
                "solo x7k2-worker-1-rank-1 in x7k2-worker-1",
            ],
        ),
    ],
)
def test_the_runs_of_a_trial_on_two_nodes(mode: str, scope: str, expected: list[str]) -> None:
    found = trials_plans(launched(2, 2), run_mode=mode, rank_scope=scope)
    assert [plan_text(one) for one in found] == expected


def test_the_plan_says_who_named_the_trials_run() -> None:
    (one,) = trials_plans([ALONE], ACME)
    (named,) = [step for step in one.steps if step.hook == "compute_run_id"]
    assert (named.value, named.plugin, named.wrapped_by) == ("x7k2", "the sweep s1", ())


def test_a_rule_that_names_all_runs_alike_is_still_found_out() -> None:
    found = trials_plans(launched(2), manager(one=OneForAll()), run_mode="new")
    with pytest.raises(HookError, match="two ranks own the run 'x7k2'"):
        check_owners(found)


@pytest.mark.parametrize("retry", ["resume", "new"])
def test_every_attempt_of_a_trial_has_the_trials_id(retry: str) -> None:
    asked = replace(request(on_retry=retry), trial=TRIAL, attempt=3)
    assert plan(asked, BUILTIN).run_id == "x7k2"


def test_only_the_trials_own_run_is_bound_to_its_sweep_and_all_get_its_parameters_and_place() -> None:
    asked = [
        replace(request(one, run_mode="new", config={"lr": 9, "depth": 3}, project="elsewhere"), trial=TRIAL)
        for one in launched(2)
    ]
    opened = [build_opening(plan(one, BUILTIN), one, mode="online") for one in asked]
    assert [one.settings.get("sweep_id") for one in opened] == ["s1", None]
    assert [one.arguments["config"] for one in opened] == [{"lr": 0.1, "depth": 3}] * 2
    assert [(one.arguments["project"], one.arguments["entity"]) for one in opened] == [("vision", "team")] * 2


def test_a_trial_has_no_parent() -> None:
    """What a task below a tracked one would join is hidden from a trial: its context says so."""
    assert plan(replace(request(), trial=TRIAL), BUILTIN).role is Role.PRIMARY
    assert {key: text for key, text in write_trial(TRIAL).items() if key != TRIAL_KEY} == {
        "_wandb_run_id": "",
        "_wandb_run": "",
    }


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.floats(allow_nan=False), st.lists(st.text()))))
def test_a_trial_travels_with_its_parameters_which_nobody_can_change_then(parameters: dict[str, Any]) -> None:
    found = read_trial(write_record(TRIAL_KEY, replace(TRIAL, parameters=parameters)))
    assert found is not None
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in found.parameters.items()} == (
        parameters
    )
    with pytest.raises(TypeError):
        found.parameters["more"] = 1  # type: ignore[index]


def test_outside_of_a_sweep_the_environment_names_no_trial() -> None:
    assert agent_trial({"WANDB_RUN_ID": "mine"}) is None
    assert agent_trial({"WANDB_SWEEP_ID": "s1"}) is None


def test_a_request_of_a_trial_is_named_after_it() -> None:
    assert Request(run_name="r1", action_name="a0", trial=TRIAL).base == "x7k2"
