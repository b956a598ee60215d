"""Ranks that torch starts: under Flyte's Elastic, one agent per node, and in a clustered environment by torchrun."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import SettingError, wandb_config, wandb_init
from flyte_wandb.testing import Container, ContainerResult, WandbServer, start_container
from tests.conftest import LocalRun
from tests.links.rendering import filled, pages, wire_links
from tests.offline import by_id
from tests.ranks import tasks
from tests.ranks.tables import ROWS, Row, check
from tests.ranks.test_every_node import BOTH, NODES, ends, labels, pipes_of_ranks
from tests.versions import ONLY_TORCH, TORCH, with_torch

elastic_tasks, turns = with_torch("tests.ranks.elastic_tasks"), with_torch("tests.ranks.turns")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def under_elastic(
    task: Any, *, nodes: tuple[int, ...], folder: Path, environ: Mapping[str, str], **options: Any
) -> list[ContainerResult]:
    """Run one `a0` per node, whose agent starts the node's ranks."""
    return [agent.wait() for agent in start_elastic(task, nodes=nodes, folder=folder, environ=environ, **options)]


def start_elastic(
    task: Any, *, nodes: tuple[int, ...], folder: Path, environ: Mapping[str, str], **options: Any
) -> list[Container]:
    environ = {**environ, "PET_RDZV_ENDPOINT": f"127.0.0.1:{free_port()}"}
    options = {"inputs": {"steps": 2}, "warm": TORCH, **options, "folder": folder, "environ": environ}
    return [start_container(task, label=f"node-{node}", **options) for node in range(len(nodes))]


def under_torchrun(
    task: Any, *, nodes: tuple[int, ...], folder: Path, environ: Mapping[str, str], **options: Any
) -> list[ContainerResult]:
    """Run one torchrun per node, as Flyte's launcher of clustered environments does; each rank is an `a0`."""
    port = free_port()
    agents = [
        start_container(
            task,
            folder=folder,
            environ={**environ, "FLYTE_CLUSTERED_WORKER": "1", "NODE_RANK": str(node), "NNODES": str(len(nodes))},
            label=f"node-{node}",
            launcher=_torchrun(nodes, node, port),
            **{"inputs": {"steps": 2}, "warm": TORCH, **options},
        )
        for node in range(len(nodes))
    ]
    return [agent.wait() for agent in agents]


def errors(results: list[ContainerResult]) -> list[str]:
    return [f"{result.error}\n{result.log}" for result in results if result.error]


def _torchrun(nodes: tuple[int, ...], node: int, port: int) -> list[str]:
    where = [f"--nnodes={len(nodes)}", f"--nproc-per-node={nodes[node]}", f"--node-rank={node}"]
    meeting = ["--rdzv-backend=static", "--rdzv-id=job-0", f"--rdzv-endpoint=127.0.0.1:{port}"]
    return [sys.executable, "-m", "torch.distributed.run", *where, *meeting, "--no-python", "--"]


@dataclass(frozen=True, kw_only=True)
class World:
    """A world that torch starts.

    Attributes:
        launch: Starts it.
        task: The decorated task.
        row: The row that the decorated task is to take.
        turns: The task that takes all rows of the same nodes.
    """

    launch: Callable[..., list[ContainerResult]]
    task: Any
    row: Row
    turns: Any

    def __str__(self) -> str:
        return f"{self.launch.__name__}-{'+'.join(map(str, self.row.nodes))}"


AUTO, SHARED, SHARED_BY_TWO, NEW_BY_TWO = ROWS[1], ROWS[2], ROWS[-3], ROWS[-1]
WORLDS = [
    World(launch=under_elastic, task=elastic_tasks.on_one_node, row=AUTO, turns=turns.on_one_node),
    World(launch=under_elastic, task=elastic_tasks.on_two_nodes, row=NEW_BY_TWO, turns=turns.on_two_nodes),
    World(launch=under_torchrun, task=tasks.ranked, row=SHARED, turns=turns.ranked),
    World(launch=under_torchrun, task=tasks.ranked, row=SHARED_BY_TWO, turns=turns.ranked),
]


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_a_decorated_task_takes_the_row_of_its_context_and_a_rank_that_skips_imports_no_wandb(
    world: World, server: WandbServer, tmp_path: Path
) -> None:
    row = world.row
    options: dict[str, Any] = {"nodes": row.nodes, "context": row.context, "environ": server.environ}
    results = world.launch(world.task, folder=tmp_path, warm=ONLY_TORCH, **options)
    assert errors(results) == []
    assert [result.value for result in results].count("rank 0") == 1
    check(row, server.runs, steps=2)
    seen = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(sum(row.nodes))]
    tracked = {rank: run_id for run_id, (_, labels) in row.runs.items() for rank in labels}
    assert [one["run"] for one in seen] == [tracked.get(rank) for rank in range(sum(row.nodes))]
    assert ["wandb" in one["loaded"] for one in seen] == [one["run"] is not None for one in seen]


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_every_row_of_the_tables(world: World, online: WandbServer, tmp_path: Path) -> None:
    """The ranks take one row after the other, each in a project of its own; in tests/links each row has its ranks."""
    rows = {f"row-{n}": row for n, row in enumerate(ROWS) if row.nodes == world.row.nodes}
    contexts = {name: wandb_config(entity="local", project=name) | row.context for name, row in rows.items()}
    inputs = {"steps": 2, "contexts": list(contexts.values())}
    options: dict[str, Any] = {"nodes": world.row.nodes, "inputs": inputs, "environ": online.environ}
    assert errors(world.launch(world.turns, folder=tmp_path, **options)) == []
    assert {run.project for run in online.runs} == set(rows)
    for name, row in rows.items():
        runs = [run for run in online.runs if run.project == name]
        check(row, runs, steps=2)
        if world.launch is under_elastic:  # whose task declares this very world
            (address,) = filled(wire_links(world.task, contexts[name])).values()
            assert address in pages(runs)


def test_one_run_has_the_system_metrics_of_both_nodes_and_a_restart_after_a_killed_one_measures_again(
    server: WandbServer, tmp_path: Path
) -> None:
    with pipes_of_ranks(tmp_path) as pipes:
        nodes = start_elastic(elastic_tasks.held, nodes=(2, 2), folder=tmp_path, environ=server.environ, context=NODES)
        server.wait_for(lambda server: labels(server.run("run1-a0")) == BOTH, timeout=120)
        before = len(server.run("run1-a0").writers)
        os.write(pipes[2], b"kill\n")
        server.wait_for(
            lambda server: {writer.label for writer in server.run("run1-a0").writers[before:]} == BOTH, timeout=120
        )
        assert ends(nodes, pipes) == [0, 0]
    (record,) = server.runs
    assert (record.state, record.restarted) == ("finished", 0)
    assert [row["rank"] for row in record.history] == [0] * 4


def test_offline_each_node_keeps_a_log_of_its_own(server: WandbServer, tmp_path: Path) -> None:
    context = {**NODES, **wandb_config(mode="offline")}
    options: dict[str, Any] = {"folder": tmp_path, "environ": server.environ, "context": context}
    assert errors(under_elastic(elastic_tasks.on_two_nodes, nodes=(2, 2), **options)) == []
    assert {log.id: log.logged("rank") for log in by_id(tmp_path).values()} == {
        "run1-a0": [0, 0],
        "run1-a0-worker-1-rank-0": [],
    }


def test_a_range_of_nodes_counts_those_that_came(server: WandbServer, tmp_path: Path) -> None:
    (result,) = under_elastic(elastic_tasks.on_some_nodes, nodes=(2,), folder=tmp_path, environ=server.environ)
    assert result.error is None, result.log
    assert [record.id for record in server.runs] == ["run1-a0"]


def test_a_rank_that_raises_fails_its_run_and_a_restarted_group_continues_it(
    server: WandbServer, tmp_path: Path
) -> None:
    (result,) = under_elastic(elastic_tasks.fails, nodes=(2,), folder=tmp_path, environ=server.environ)
    assert result.error is not None
    (record,) = server.runs
    assert (record.state, record.exit_code, record.resumed, record.restarted) == ("failed", 1, 1, 0)
    assert [(row["rank"], row["step"]) for row in record.history] == [(0, 0), (0, 1)] * 2


def test_an_async_task_under_elastic_is_refused_at_decoration() -> None:
    async def train() -> None: ...

    task = elastic_tasks.one.task(train)
    with pytest.raises(SettingError, match=r"'one_node\.train': it is an async function under Elastic.* asyncio\.run"):
        wandb_init(task)


@pytest.mark.usefixtures("offline")
def test_in_local_mode_elastic_is_rank_0_of_the_most_nodes(run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(elastic_tasks.on_some_nodes, 1, context=wandb_config(id="exp")) == "rank 0"
    assert list(by_id(tmp_path)) == ["exp-worker-0"]
    assert flyte.ctx().action is None
