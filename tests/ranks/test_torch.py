"""Ranks that torch starts: under Flyte's Elastic, one agent per node, and in a clustered environment by torchrun."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import SettingError, WandbConfig, wandb_config, wandb_init
from flyte_wandb.testing import ContainerResult, WandbServer, start_container
from tests.conftest import LocalRun
from tests.links.rendering import filled, pages, wire_links
from tests.offline import by_id
from tests.ranks import elastic_tasks, tasks
from tests.ranks.tables import ROWS, Row, check


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def elastic_task(nodes: tuple[int, ...]) -> Any:
    return elastic_tasks.on_one_node if len(nodes) == 1 else elastic_tasks.on_two_nodes


def under_elastic(server: WandbServer, folder: Path, nodes: tuple[int, ...], **options: Any) -> list[ContainerResult]:
    """Run one `a0` per node, whose agent starts the node's ranks."""
    environ = server.environ | {"PET_RDZV_ENDPOINT": f"127.0.0.1:{free_port()}"}
    options = {"task": elastic_task(nodes), "inputs": {"steps": 2}, **options}
    agents = [start_container(folder=folder, environ=environ, label=f"node-{n}", **options) for n in range(len(nodes))]
    return [agent.wait() for agent in agents]


def under_torchrun(server: WandbServer, folder: Path, nodes: tuple[int, ...], **options: Any) -> list[ContainerResult]:
    """Run one torchrun per node, as Flyte's launcher of clustered environments does; each rank is an `a0`."""
    port = free_port()
    agents = [
        start_container(
            tasks.ranked,
            folder=folder,
            inputs={"steps": 2},
            environ=server.environ | {"FLYTE_CLUSTERED_WORKER": "1", "NODE_RANK": str(node), "NNODES": str(len(nodes))},
            label=f"node-{node}",
            launcher=_torchrun(nodes, node, port),
            **options,
        )
        for node in range(len(nodes))
    ]
    return [agent.wait() for agent in agents]


def _torchrun(nodes: tuple[int, ...], node: int, port: int) -> list[str]:
    where = [f"--nnodes={len(nodes)}", f"--nproc-per-node={nodes[node]}", f"--node-rank={node}"]
    meeting = ["--rdzv-backend=static", "--rdzv-id=job-0", f"--rdzv-endpoint=127.0.0.1:{port}"]
    return [sys.executable, "-m", "torch.distributed.run", *where, *meeting, "--no-python", "--"]


Launch = Callable[..., list[ContainerResult]]


@pytest.mark.parametrize("launch", [under_elastic, under_torchrun])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_of_the_tables(row: Row, launch: Launch, online: WandbServer, tmp_path: Path) -> None:
    context = WandbConfig(wandb_config(entity="local", project="vision") | row.context)
    results = launch(online, tmp_path, row.nodes, context=context)
    assert [f"{result.error}\n{result.log}" for result in results if result.error] == []
    check(row, online, steps=2)
    if launch is under_elastic:  # whose task declares this very world
        (address,) = filled(wire_links(elastic_task(row.nodes), context)).values()
        assert address in pages(online.runs)


def test_a_rank_of_elastic_that_skips_imports_no_wandb(server: WandbServer, tmp_path: Path) -> None:
    (result,) = under_elastic(server, tmp_path, (2,))
    assert result.value == "rank 0", result.log
    seen = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert [one["run"] for one in seen] == ["run1-a0", None]
    assert ["wandb" in one["loaded"] for one in seen] == [True, False]


def test_a_range_of_nodes_counts_those_that_came(server: WandbServer, tmp_path: Path) -> None:
    (result,) = under_elastic(server, tmp_path, (2,), task=elastic_tasks.on_some_nodes)
    assert result.error is None, result.log
    assert [record.id for record in server.runs] == ["run1-a0"]


def test_a_rank_that_raises_fails_its_run_and_a_restarted_group_continues_it(
    server: WandbServer, tmp_path: Path
) -> None:
    (result,) = under_elastic(server, tmp_path, (2,), task=elastic_tasks.fails)
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
