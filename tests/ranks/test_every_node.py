"""`system_metrics="nodes"`: one rank of each other node joins its part's run with the system metrics of its node."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb import wandb_config
from flyte_wandb.testing import Container, RunRecord, WandbServer, run_ranks, start_ranks
from tests.offline import by_id
from tests.ranks import tasks

RANKS = range(4)
PROMPT = {"x_stats_sampling_interval": 0.1, "x_file_stream_transmit_interval": 1, "console": "off"}
"""Without console lines a writer's label reaches the server with system metrics only."""

NODES = wandb_config(system_metrics="nodes", config={"lr": 0.1}, tags=["night"], settings=PROMPT)
BOTH = {"worker-0-rank-0", "worker-1-rank-0"}


def labels(record: RunRecord) -> set[str | None]:
    return {writer.label for writer in record.writers}


@contextmanager
def pipes_of_ranks(folder: Path) -> Iterator[list[int]]:
    """Make the pipes in which ranks wait for a line. They stay open until the ranks have ended."""
    with ExitStack() as stack:
        pipes = []
        for rank in RANKS:
            os.mkfifo(folder / f"pipe-{rank}")
            pipes.append(os.open(folder / f"pipe-{rank}", os.O_RDWR))
            stack.callback(os.close, pipes[-1])
            stack.callback(os.unlink, folder / f"pipe-{rank}")
        yield pipes


@contextmanager
def held_ranks(server: WandbServer, folder: Path, **options: Any) -> Iterator[tuple[list[Container], list[int]]]:
    """Start two nodes of two ranks that wait for a line in their pipes."""
    with pipes_of_ranks(folder) as pipes:
        options = {"nodes": (2, 2), "environ": server.environ, "inputs": {"steps": 2}, **options}
        yield start_ranks(tasks.held, folder=folder, **options), pipes


def ends(ranks: list[Container], pipes: list[int]) -> list[int]:
    for pipe in pipes:
        os.write(pipe, b"end\n")
    results = [rank.wait() for rank in ranks]
    assert [result.error for result in results] == [None] * len(results)
    return [result.exit_code for result in results]


@pytest.mark.parametrize("scope", ["global", "worker"])
def test_one_run_has_the_system_metrics_of_every_node_of_its_part(
    scope: str, server: WandbServer, tmp_path: Path
) -> None:
    """Under `worker` nobody joins, so there is nothing to wait for: each run has its node's anyway."""
    with held_ranks(server, tmp_path, context={**NODES, **wandb_config(rank_scope=scope)}) as (ranks, pipes):
        if scope == "global":
            server.wait_for(lambda server: labels(server.run("run1-a0")) == BOTH)
            server.wait_for(lambda server: all((tmp_path / f"rank-{rank}.json").exists() for rank in RANKS))
        assert ends(ranks, pipes) == [0] * 4
    seen = [json.loads((tmp_path / f"rank-{rank}.json").read_text())["run"] for rank in RANKS]
    if scope == "worker":
        assert seen == ["run1-a0-worker-0", None, "run1-a0-worker-1", None]
        assert [[writer.shared for writer in record.writers] for record in server.runs] == [[False], [False]]
        return
    assert seen == ["run1-a0", None, None, None]
    assert [json.loads((tmp_path / f"globals-{rank}.json").read_text()) for rank in (0, 2)] == ["run1-a0", None]
    (record,) = server.runs
    assert (record.state, record.exit_code, record.tags) == ("finished", 0, ("night",))
    assert {(writer.label, writer.rows, writer.completed) for writer in record.writers} == {
        ("worker-0-rank-0", 2, True),
        ("worker-1-rank-0", 0, False),
    }
    assert [row["rank"] for row in record.history] == [0, 0]
    assert record.summary == {"rank": 0, "step": 1}
    assert (record.config["lr"], set(record.config)) == (0.1, {"lr", "flyte"})


def test_a_monitor_that_is_killed_harms_nobody_and_a_restart_of_the_group_measures_again(
    server: WandbServer, tmp_path: Path
) -> None:
    with held_ranks(server, tmp_path, context=NODES) as (ranks, pipes):
        server.wait_for(lambda server: labels(server.run("run1-a0")) == BOTH)
        os.write(pipes[2], b"kill\n")
        assert ranks[2].wait().exit_code == -9
        assert server.run("run1-a0").state == "running"
        assert ends([ranks[0], ranks[1], ranks[3]], pipes) == [0] * 3
    assert (server.run("run1-a0").state, server.run("run1-a0").exit_code) == ("finished", 0)
    before = server.run("run1-a0").writers

    with held_ranks(server, tmp_path, context=NODES) as (ranks, pipes):
        server.wait_for(
            lambda server: {writer.label for writer in server.run("run1-a0").writers[len(before) :]} == BOTH
        )
        assert ends(ranks, pipes) == [0] * 4
    (record,) = server.runs
    assert (record.state, record.restarted) == ("finished", 0)
    assert [row["rank"] for row in record.history] == [0] * 4


def test_a_monitor_that_wandb_lets_not_join_fails_no_rank(server: WandbServer, tmp_path: Path) -> None:
    nobody = {"WANDB_BASE_URL": "http://127.0.0.1:9"}
    context = {**NODES, **wandb_config(on_error="ignore")}
    results = run_ranks(
        tasks.ranked,
        folder=tmp_path,
        nodes=(1, 1),
        context=context,
        environ=server.environ | nobody,
        inputs={"steps": 1},
    )
    assert [result.exit_code for result in results] == [0, 0]
    assert "the run 'run1-a0' lacks the system metrics of worker-1-rank-0" in results[1].log


def test_offline_each_node_keeps_a_log_of_its_own(server: WandbServer, tmp_path: Path) -> None:
    context = {**NODES, **wandb_config(mode="offline")}
    results = run_ranks(
        tasks.ranked, folder=tmp_path, nodes=(2, 2), context=context, environ=server.environ, inputs={"steps": 2}
    )
    assert [(result.error, result.exit_code) for result in results] == [(None, 0)] * 4
    found = by_id(tmp_path)
    assert {log.id: (log.group, log.exit_code) for log in found.values()} == {
        "run1-a0": ("run1-a0", 0),
        "run1-a0-worker-1-rank-0": ("run1-a0", 0),
    }
    assert (found["run1-a0"].logged("rank"), found["run1-a0-worker-1-rank-0"].logged("rank")) == ([0, 0], [])
    assert server.runs == ()
