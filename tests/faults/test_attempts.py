"""Which attempt it is, and the names of runs and groups that follow from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import flyte
import pytest
from flyte._context import internal_ctx
from hypothesis import given
from hypothesis import strategies as st

from flyte_wandb import Request, Role, Settings, Topology, plan
from flyte_wandb._action import current_attempt
from flyte_wandb.runs._opening import build_opening
from tests.conftest import LocalRun
from tests.remote import action_context

env = flyte.TaskEnvironment(name="attempts")


@pytest.mark.parametrize(
    ("variables", "attempt"),
    [
        ({}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": "0"}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": "2"}, 3),
        ({"FLYTE_ATTEMPT": "2", "FLYTE_ATTEMPT_NUMBER": "1"}, 2),
        ({"FLYTE_ATTEMPT_NUMBER": "many"}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": ""}, 1),
        ({"FLYTE_ATTEMPT_NUMBER": "-1"}, 1),
    ],
)
def test_a_container_is_told_by_its_environment(
    variables: dict[str, str], attempt: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLYTE_ATTEMPT", "FLYTE_ATTEMPT_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with internal_ctx().replace_task_context(action_context(tmp_path, "a0", {})):
        assert [current_attempt(), current_attempt()] == [attempt, attempt]


COUNTED: list[int] = []


@env.task
async def counts() -> int:
    COUNTED.append(current_attempt())
    if len(COUNTED) < 3:
        raise ConnectionError("again")
    return current_attempt()


def test_local_attempts_are_counted_anew_for_each_action(run_local: LocalRun) -> None:
    for _ in range(2):
        COUNTED.clear()
        assert run_local(counts.override(retries=2)) == 3
        assert COUNTED == [1, 2, 3]


worlds = st.builds(
    lambda nodes, per_node, rank: Topology(
        rank=rank % (nodes * per_node),
        world_size=nodes * per_node,
        local_rank=rank % (nodes * per_node) % per_node,
        local_world_size=per_node,
        worker_index=rank % (nodes * per_node) // per_node,
        num_workers=nodes,
        launcher="torch-elastic" if nodes * per_node > 1 else None,
    ),
    nodes=st.integers(1, 3),
    per_node=st.integers(1, 3),
    rank=st.integers(0, 8),
)
requests = st.builds(
    lambda mode, scope, topology, attempt, base: Request(
        run_name="r1",
        action_name="a0",
        settings=Settings(run_mode=mode, rank_scope=scope, id=base),
        topology=topology,
        attempt=attempt,
    ),
    mode=st.sampled_from(["auto", "new"]),
    scope=st.sampled_from(["global", "worker"]),
    topology=worlds,
    attempt=st.integers(1, 5),
    base=st.sampled_from([None, "exp"]),
)


@given(requests)
def test_resumed_attempts_have_the_names_of_the_first(request: Request) -> None:
    planned, first = plan(request), plan(replace(request, attempt=1))
    assert (planned.run_id, planned.group, planned.role) == (first.run_id, first.group, first.role)


@given(requests)
def test_new_attempts_have_an_id_each_in_one_group(request: Request) -> None:
    new = replace(request, settings=replace(request.settings, on_retry="new"))
    planned = plan(new)
    if planned.role is Role.SKIP:
        return
    plain = plan(replace(request, attempt=1))
    again = f"-attempt-{request.attempt}" if request.attempt > 1 else ""
    assert planned.run_id == f"{plain.run_id}{again}"
    assert planned.group == plan(replace(new, attempt=1)).group
    assert planned.group is not None
    assert planned.run_id.startswith(planned.group)


@pytest.mark.parametrize(
    ("attempt", "tags", "identity", "expected"),
    [
        (1, None, True, ()),
        (1, ("a",), True, ("a",)),
        (2, None, True, ("attempt-2",)),
        (3, ("a", "attempt-3"), True, ("a", "attempt-3")),
        (2, ("a",), False, ("a",)),
    ],
)
def test_another_attempt_is_tagged(
    attempt: int, tags: tuple[str, ...] | None, identity: bool, expected: tuple[str, ...]
) -> None:
    settings = Settings(tags=tags, flyte_identity=identity)
    request = Request(run_name="r1", action_name="a0", settings=settings, attempt=attempt)
    opening = build_opening(plan(request), request, mode="online")
    given = opening.arguments.get("tags") or ()
    assert tuple(dict.fromkeys((*given, *opening.beside.tags))) == expected
