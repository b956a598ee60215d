"""What a run's configuration says about the action of Flyte that opened it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flyte_wandb import Request, Topology
from flyte_wandb._action import Action, _attempt_from_environ
from flyte_wandb.runs._flyte_identity import _browser_address, build_identity

REQUEST = Request(run_name="r1", action_name="a1", task_name="env.train")
REMOTE = Action(run_name="r1", name="a1", project="p", domain="d", local=False)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLYTE_ATTEMPT", "FLYTE_ATTEMPT_NUMBER", "FLYTE_CONSOLE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "attempt"),
    [
        ({}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": "0"}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": "2"}, 3),
        ({"FLYTE_ATTEMPT": "2", "FLYTE_ATTEMPT_NUMBER": "0"}, 2),
        ({"FLYTE_ATTEMPT": "two"}, 1),
    ],
)
def test_attempts_count_from_1(variables: dict[str, str], attempt: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _attempt_from_environ() == attempt


@pytest.mark.parametrize(
    ("attempt", "topology", "counts"),
    [
        (1, Topology(), {"attempt": 1}),
        (3, Topology(world_size=2, local_world_size=2, launcher="l", restart_count=2), {"attempt": 3, "restart": 2}),
    ],
)
def test_attempts_and_restarts_are_told(attempt: int, topology: Topology, counts: dict[str, Any]) -> None:
    request = replace(REQUEST, task_name=None, attempt=attempt, topology=topology)
    assert build_identity(Action(run_name="r1", name="a1"), request) == {"run": "r1", "action": "a1", **counts}


@pytest.mark.parametrize(
    ("action", "url"),
    [
        (REMOTE, "https://flyte.example.com/v2/domain/d/project/p/runs/r1"),
        (Action(run_name="r1", name="a1", project="p", domain="d"), None),
        (Action(run_name="r1", name="a1", local=False), None),
    ],
)
def test_the_console_of_flytes_own_setting_has_the_page(
    action: Action, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_CONSOLE_ENDPOINT", "dns:///flyte.example.com")
    found = build_identity(action, REQUEST).get("url")
    assert (found and found.partition("?")[0]) == url


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("dns:///flyte.example.com", True),
        ("https://flyte.example.com:443", True),
        ("flyte.example.com", True),
        ("host.docker.internal:8090", False),
        ("dns:///localhost:8090", False),
        ("dns:///flyteadmin.flyte.svc.cluster.local:81", False),
        ("flyte-binary.flyte.svc:8089", False),
        ("http://flyte.svc.example:80", False),
    ],
)
def test_an_address_inside_the_cluster_is_no_page_for_people(endpoint: str, public: bool) -> None:
    assert _browser_address(endpoint) is public
