"""Ranks as a clustered environment starts them: each in an `a0` process of its own, without torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import get_distributed_info, wandb_config, wandb_init
from flyte_wandb.testing import (
    ContainerResult,
    Limits,
    RunRecord,
    WandbServer,
    run_container,
    run_ranks,
    start_ranks,
)
from tests.conftest import LocalRun
from tests.container.tasks import leaf
from tests.offline import by_id
from tests.ranks import tasks
from tests.ranks.tables import RAGGED, Row, check

SHARED = wandb_config(run_mode="shared")
DECLARED_40 = {
    "FLYTE_CLUSTERED_WORKER": "1",
    "RANK": "0",
    "WORLD_SIZE": "40",
    "LOCAL_RANK": "0",
    "LOCAL_WORLD_SIZE": "8",
    "NODE_RANK": "0",
    "NNODES": "5",
}


def ranks(server: WandbServer, folder: Path, task: Any = tasks.ranked, **options: Any) -> list[ContainerResult]:
    options.setdefault("environ", server.environ)
    options.setdefault("inputs", {"steps": 2})
    return run_ranks(task, folder=folder, **options)


def errors(results: list[ContainerResult]) -> list[str]:
    return [f"{result.error}\n{result.log}" for result in results if result.error or result.exit_code]


def seen(folder: Path, rank: int) -> dict[str, Any]:
    return json.loads((folder / f"rank-{rank}.json").read_text())  # type: ignore[no-any-return]


def rank_steps(record: RunRecord) -> list[tuple[int, int]]:
    return sorted((row["rank"], row["step"]) for row in record.history)


@pytest.mark.parametrize("row", RAGGED, ids=str)
def test_nodes_of_different_sizes(row: Row, server: WandbServer, tmp_path: Path) -> None:
    """Nodes of one size are run by tests/links."""
    results = ranks(server, tmp_path, nodes=row.nodes, context=row.context)
    assert errors(results) == []
    assert results[0].value == "rank 0"
    check(row, server.runs, steps=2)


@pytest.mark.parametrize("run_mode", ["auto", "shared"])
def test_an_explicit_id_keeps_the_suffix_of_its_node(run_mode: str, server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(run_mode=run_mode, rank_scope="worker", id="resnet")
    assert errors(ranks(server, tmp_path, nodes=(1, 1), context=context)) == []
    assert [record.id for record in sorted(server.runs, key=lambda run: run.id)] == [
        "resnet-worker-0",
        "resnet-worker-1",
    ]


def test_a_rank_that_skips_imports_no_wandb(server: WandbServer, tmp_path: Path) -> None:
    assert errors(ranks(server, tmp_path, warm=False)) == []
    assert seen(tmp_path, 0) == {
        "info": {
            "rank": 0,
            "local_rank": 0,
            "world_size": 2,
            "local_world_size": 2,
            "worker_index": 0,
            "num_workers": 1,
        },
        "run": "run1-a0",
        "loaded": ["wandb"],
    }
    assert (seen(tmp_path, 1)["run"], seen(tmp_path, 1)["loaded"]) == (None, [])


def test_the_decorator_names_mode_and_scope_as_well_as_the_context(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(run_mode="auto", rank_scope="global")
    assert errors(ranks(server, tmp_path, tasks.decorated, nodes=(1, 2), context=context)) == []
    assert {record.id: record.group for record in server.runs} == {
        "run1-a0-worker-0-rank-0": "run1-a0-worker-0",
        "run1-a0-worker-1-rank-0": "run1-a0-worker-1",
        "run1-a0-worker-1-rank-1": "run1-a0-worker-1",
    }


@pytest.mark.parametrize("run_mode", ["auto", "shared", "new"])
def test_a_distributed_child_of_a_tracked_task_has_runs_of_its_own_that_name_the_parents(
    run_mode: str, server: WandbServer, tmp_path: Path
) -> None:
    result = run_container(tasks.parent, folder=tmp_path, inputs={"run_mode": run_mode}, environ=server.environ)
    assert result.error is None, result.log
    children = [record for record in server.runs if record.id != "run1-a0"]
    expected = {"run1-a1-rank-0", "run1-a1-rank-1"} if run_mode == "new" else {"run1-a1"}
    assert {record.id for record in children} == expected
    assert [record.config["flyte_parent_run_id"] for record in children] == ["run1-a0"] * len(children)
    assert [record.config["flyte"]["action"] for record in children] == ["a1"] * len(children)
    assert set(server.run("run1-a0").config) == {"flyte"}


def test_ranks_take_turns_where_a_server_opens_few_runs_a_second(tmp_path: Path) -> None:
    """Both come at once, and the second one would be refused; how long a start takes differs by less than a turn."""
    with WandbServer(limits=Limits(run_creations=0.4)) as server:
        context = wandb_config(run_mode="new", run_creations_per_second=0.25)
        results = ranks(server, tmp_path, nodes=(2,), context=context)
        assert errors(results) == []
        assert {record.id for record in server.runs} == {"run1-a0-rank-0", "run1-a0-rank-1"}
        assert server.refused["run_creations"] == 0
    line = "rank 1 opens its run in 4 s: the ranks take turns, 0.25 a second (run_creations_per_second)"
    assert [line in result.log for result in results] == [False, True]


def test_ranks_that_reach_no_server_wait_for_no_turn(tmp_path: Path) -> None:
    environ = {"WANDB_MODE": "offline"}
    context = wandb_config(run_mode="new", run_creations_per_second=0.001)
    results = run_ranks(tasks.ranked, folder=tmp_path, inputs={"steps": 1}, environ=environ, context=context)
    assert errors(results) == []


def test_the_first_of_many_writers_says_how_late_rows_appear(server: WandbServer, tmp_path: Path) -> None:
    """Rank 0 of 40, of which the others do not come."""
    environ = {**server.environ, **DECLARED_40}
    result = run_container(tasks.ranked, folder=tmp_path, inputs={"steps": 1}, environ=environ, context=SHARED)
    assert result.error is None, result.log
    assert "40 ranks write to one run, each every 21 s rather than every 15 s" in result.log


FAILURES = [
    ("shared", 1, "finished", 0),
    ("shared", 0, "failed", 1),
    ("auto", 0, "failed", 1),
    ("auto", 1, "finished", 0),
]


@pytest.mark.parametrize(("run_mode", "which", "state", "exit_code"), FAILURES)
def test_the_state_of_a_run_is_its_owners_outcome(
    run_mode: str, which: int, state: str, exit_code: int, server: WandbServer, tmp_path: Path
) -> None:
    inputs = {"which": which, "how": "raise"}
    ranks(server, tmp_path, tasks.fails, inputs=inputs, context=wandb_config(run_mode=run_mode))
    (record,) = server.runs
    assert (record.state, record.exit_code) == (state, exit_code)
    writers = (0, 1) if run_mode == "shared" else (0,)
    assert rank_steps(record) == [(rank, step) for rank in writers for step in (0, 1)]
    failed = {"failed/rank-1": "ValueError: the loss is not a number"} if (run_mode, which) == ("shared", 1) else {}
    assert {key: text for key, text in record.summary.items() if key.startswith("failed/")} == failed


def test_new_runs_fail_one_by_one(server: WandbServer, tmp_path: Path) -> None:
    ranks(server, tmp_path, tasks.fails, inputs={"which": 1, "how": "raise"}, context=wandb_config(run_mode="new"))
    assert {record.id: record.state for record in server.runs} == {
        "run1-a0-rank-0": "finished",
        "run1-a0-rank-1": "failed",
    }


def test_a_rank_that_is_killed_leaves_the_run_to_the_others(server: WandbServer, tmp_path: Path) -> None:
    inputs = {"which": 1, "how": "kill"}
    results = ranks(server, tmp_path, tasks.fails, inputs=inputs, context=wandb_config(run_mode="shared"))
    assert [result.exit_code for result in results] == [0, -9]
    record = server.run("run1-a0")
    assert (record.state, record.exit_code) == ("finished", 0)
    assert [row for row in rank_steps(record) if row[0] == 0] == [(0, 0), (0, 1)]


@pytest.mark.usefixtures("clean_client")
def test_ranks_that_inherit_a_service_share_a_run(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    options: dict[str, Any] = {"inputs": {"steps": 2}, "context": wandb_config(run_mode="shared")}
    with wandb.init(id="of-the-launcher"), server.paused():
        environ = server.environ | {"WANDB_SERVICE": os.environ["WANDB_SERVICE"]}
        started = start_ranks(tasks.ranked, folder=tmp_path, environ=environ, **options)
        server.wait_for(lambda server: server.held == 2)
    assert errors([rank.wait() for rank in started]) == []
    assert rank_steps(server.run("run1-a0")) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_offline_ranks_keep_runs_of_their_own_in_one_group(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(run_mode="shared", settings={"mode": "offline"})
    assert errors(ranks(server, tmp_path, context=context)) == []
    found = by_id(tmp_path)
    assert {log.id: (log.group, log.exit_code) for log in found.values()} == {
        "run1-a0": ("run1-a0", 0),
        "run1-a0-rank-1": ("run1-a0", 0),
    }
    assert [found[run_id].logged("rank") for run_id in ("run1-a0", "run1-a0-rank-1")] == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"RANK": ""}, "RANK is '' in this process's environment; a whole number, 0 to 1, would fit"),
        ({"RANK": "two"}, "RANK is 'two' in this process's environment; a whole number, 0 to 1, would fit"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0' in this process's environment; a whole number, 1 or more, would fit"),
        ({"LOCAL_RANK": "2"}, "LOCAL_RANK is '2' in this process's environment; a whole number, 0 to 1, would fit"),
        (
            {"LOCAL_RANK": "2", "FLYTE_CLUSTERED_WORKER": ""},
            "LOCAL_RANK is '2' in this process's environment; a whole number, 0 to 1, would fit; RANK, LOCAL_RANK, "
            "WORLD_SIZE, LOCAL_WORLD_SIZE are all set, as for a rank: unset them if it is none",
        ),
        ({"NODE_RANK": "1"}, "the launcher's variables contradict each other"),
    ],
)
def test_variables_that_cannot_be_right_stop_a_rank_before_its_run(
    changed: dict[str, str], words: str, server: WandbServer, tmp_path: Path
) -> None:
    place = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "2",
        "NODE_RANK": "0",
        "NNODES": "1",
    }
    environ = server.environ | {"FLYTE_CLUSTERED_WORKER": "1"} | place | changed
    result = run_container(tasks.ranked, folder=tmp_path, inputs={"steps": 1}, environ=environ)
    assert words in f"{result.error}\n{result.log}"
    assert server.runs == ()


def test_a_pods_own_rank_is_not_taken_for_a_launchers(server: WandbServer, tmp_path: Path) -> None:
    environ = server.environ | {"RANK": "3", "WORLD_SIZE": "4"}
    result = run_container(leaf, folder=tmp_path, inputs={"x": 1}, environ=environ)
    assert (result.error, result.value) == (None, "run1-a0"), result.log


FIVE = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1"}
PLACE_OF_FIVE = {
    "rank": 3,
    "local_rank": 1,
    "world_size": 4,
    "local_world_size": 2,
    "worker_index": 1,
    "num_workers": 2,
}


def test_the_five_variables_of_torchrun_are_a_rank_whoever_set_them(server: WandbServer, tmp_path: Path) -> None:
    context = wandb_config(run_mode="new", rank_scope="worker")
    options: dict[str, Any] = {"folder": tmp_path, "inputs": {"steps": 1}, "context": context}
    result = run_container(tasks.ranked, environ=server.environ | FIVE, **options)
    assert (result.error, result.exit_code) == (None, 0), result.log
    assert seen(tmp_path, 3) == {"info": PLACE_OF_FIVE, "run": "run1-a0-worker-1-rank-1", "loaded": ["wandb"]}
    assert [(record.id, record.group) for record in server.runs] == [("run1-a0-worker-1-rank-1", "run1-a0-worker-1")]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("variables", "suffix", "info"),
    [
        (tuple(FIVE), "-worker-1-rank-1", PLACE_OF_FIVE),
        (("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"), "-worker-1-rank-1", PLACE_OF_FIVE),
        (("RANK", "WORLD_SIZE", "GROUP_RANK"), "", None),
    ],
)
def test_they_are_a_rank_in_local_mode_too(
    variables: tuple[str, ...],
    suffix: str,
    info: dict[str, int] | None,
    run_local: LocalRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in variables:
        monkeypatch.setenv(name, FIVE[name])
    base, found = run_local(undeclared, context=wandb_config(run_mode="new", rank_scope="worker"))
    (log,) = by_id(tmp_path).values()
    assert (log.id, log.group) == (f"{base}{suffix}", f"{base}-worker-1" if suffix else "")
    assert found == (info or {})


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("run_mode", "rank_scope", "run_id", "group"),
    [
        ("auto", "global", "{base}", ""),
        ("auto", "worker", "{base}-worker-0", ""),
        ("shared", "worker", "{base}-worker-0", ""),
        ("new", "global", "{base}-rank-0", "{base}"),
        ("new", "worker", "{base}-worker-0-rank-0", "{base}-worker-0"),
    ],
)
def test_in_local_mode_the_one_process_is_rank_0_of_the_declared_world(
    run_mode: str, rank_scope: str, run_id: str, group: str, run_local: LocalRun, tmp_path: Path
) -> None:
    base, info = run_local(in_local_mode, context=wandb_config(run_mode=run_mode, rank_scope=rank_scope))
    (log,) = by_id(tmp_path).values()
    assert (log.id, log.group) == (run_id.format(base=base), group.format(base=base))
    assert info == {
        "rank": 0,
        "local_rank": 0,
        "world_size": 4,
        "local_world_size": 2,
        "worker_index": 0,
        "num_workers": 2,
    }


def base_and_info() -> tuple[str, dict[str, int]]:
    context = flyte.ctx()
    assert context
    return f"{context.action.run_name}-{context.action.name}", get_distributed_info() or {}


@wandb_init
@tasks.clustered.task
async def in_local_mode() -> tuple[str, dict[str, int]]:
    return base_and_info()


@wandb_init
@tasks.plain.task
async def undeclared() -> tuple[str, dict[str, int]]:
    return base_and_info()
