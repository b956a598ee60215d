"""The documented tables, row by row and as they are written there: which ranks write to which run, in which group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flyte_wandb import WandbConfig, wandb_config
from flyte_wandb.testing import RunRecord


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the tables for one world.

    Attributes:
        run_mode: The run mode.
        rank_scope: The rank scope.
        nodes: How many ranks each node has.
        runs: Per run id: its group, and the label of each writer by its rank (None where the run is not shared).
    """

    run_mode: str
    rank_scope: str
    nodes: tuple[int, ...]
    runs: dict[str, tuple[str | None, dict[int, str | None]]]

    @property
    def context(self) -> WandbConfig:
        """The settings that ask for it."""
        return wandb_config(run_mode=self.run_mode, rank_scope=self.rank_scope)

    def __str__(self) -> str:
        return f"{self.run_mode}-{self.rank_scope}-{'+'.join(map(str, self.nodes))}"


def _row(
    run_mode: str, rank_scope: str, nodes: tuple[int, ...], runs: dict[str, tuple[str | None, dict[int, str | None]]]
) -> Row:
    return Row(run_mode=run_mode, rank_scope=rank_scope, nodes=nodes, runs=runs)


_ONE_RUN_ON_ONE_NODE: dict[str, tuple[str | None, dict[int, str | None]]] = {"run1-a0": (None, {0: None})}
_SHARED_ON_ONE_NODE: dict[str, tuple[str | None, dict[int, str | None]]] = {
    "run1-a0": (None, {0: "rank-0", 1: "rank-1"})
}
_NEW_ON_ONE_NODE: dict[str, tuple[str | None, dict[int, str | None]]] = {
    "run1-a0-rank-0": ("run1-a0", {0: None}),
    "run1-a0-rank-1": ("run1-a0", {1: None}),
}

ROWS = [
    _row("auto", "global", (2,), _ONE_RUN_ON_ONE_NODE),
    _row("auto", "worker", (2,), _ONE_RUN_ON_ONE_NODE),
    _row("shared", "global", (2,), _SHARED_ON_ONE_NODE),
    _row("shared", "worker", (2,), _SHARED_ON_ONE_NODE),
    _row("new", "global", (2,), _NEW_ON_ONE_NODE),
    _row("new", "worker", (2,), _NEW_ON_ONE_NODE),
    _row("auto", "global", (2, 2), {"run1-a0": (None, {0: None})}),
    _row(
        "auto",
        "worker",
        (2, 2),
        {"run1-a0-worker-0": (None, {0: None}), "run1-a0-worker-1": (None, {2: None})},
    ),
    _row(
        "shared",
        "global",
        (2, 2),
        {
            "run1-a0": (
                None,
                {0: "worker-0-rank-0", 1: "worker-0-rank-1", 2: "worker-1-rank-0", 3: "worker-1-rank-1"},
            )
        },
    ),
    _row(
        "shared",
        "worker",
        (2, 2),
        {
            "run1-a0-worker-0": (None, {0: "worker-0-rank-0", 1: "worker-0-rank-1"}),
            "run1-a0-worker-1": (None, {2: "worker-1-rank-0", 3: "worker-1-rank-1"}),
        },
    ),
    _row(
        "new",
        "global",
        (2, 2),
        {f"run1-a0-rank-{rank}": ("run1-a0", {rank: None}) for rank in range(4)},
    ),
    _row(
        "new",
        "worker",
        (2, 2),
        {
            "run1-a0-worker-0-rank-0": ("run1-a0-worker-0", {0: None}),
            "run1-a0-worker-0-rank-1": ("run1-a0-worker-0", {1: None}),
            "run1-a0-worker-1-rank-0": ("run1-a0-worker-1", {2: None}),
            "run1-a0-worker-1-rank-1": ("run1-a0-worker-1", {3: None}),
        },
    ),
]
"""One node with two ranks, and two nodes with two ranks each."""

RAGGED = [
    _row(
        "shared",
        "worker",
        (2, 1),
        {
            "run1-a0-worker-0": (None, {0: "worker-0-rank-0", 1: "worker-0-rank-1"}),
            "run1-a0-worker-1": (None, {2: "worker-1-rank-0"}),
        },
    ),
    _row(
        "new",
        "worker",
        (1, 2),
        {
            "run1-a0-worker-0-rank-0": ("run1-a0-worker-0", {0: None}),
            "run1-a0-worker-1-rank-0": ("run1-a0-worker-1", {1: None}),
            "run1-a0-worker-1-rank-1": ("run1-a0-worker-1", {2: None}),
        },
    ),
]
"""Nodes of different sizes."""


def check(row: Row, runs: Iterable[RunRecord], *, steps: int) -> None:
    """Compare the runs that reached the server with the row: ids, groups, writers, labels, history and end."""
    expected = {run_id: _expected(group, labels, steps) for run_id, (group, labels) in row.runs.items()}
    assert {run.id: _found(run) for run in runs} == expected, f"row {row}"


def _found(run: RunRecord) -> dict[str, Any]:
    return {
        "group": run.group,
        "labels": sorted(writer.label or "" for writer in run.writers),
        "completed": [writer.completed for writer in run.writers].count(True),
        "logged": sorted((line["rank"], line["step"]) for line in run.history),
        "steps": [line["_step"] for line in run.history],
        "end": (run.state, run.exit_code),
    }


def _expected(group: str | None, labels: dict[int, str | None], steps: int) -> dict[str, Any]:
    return {
        "group": group,
        "labels": sorted(label or "" for label in labels.values()),
        "completed": 1,
        "logged": [(rank, step) for rank in sorted(labels) for step in range(steps)],
        "steps": list(range(len(labels) * steps)),
        "end": ("finished", 0),
    }
