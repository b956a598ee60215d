"""Distributed training as people decorate it under Elastic: three scenarios on one node, six on two.

Each is planned for all of its ranks and run in local mode. Real ranks take the same rows in tests/ranks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flyte
import pytest

from flyte_wandb import get_distributed_info, get_wandb_run, preview, wandb_config, wandb_init
from tests.conftest import LocalRun
from tests.offline import by_id
from tests.versions import with_torch

PLACE: Any = {"project": "vision", "entity": "team", "host": "https://w.example"}
PAGE = "https://w.example/team/vision"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way of training on ranks, four on each node.

    Attributes:
        nodes: How many nodes there are.
        decorator: Settings of the decorator.
        context: Settings of the context.
        runs: The id of each rank's run behind the names of run and action; None for a rank without one.
        groups: The group of each rank's run, likewise.
        links: What the links lead to, likewise.
    """

    nodes: int
    decorator: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    runs: list[str | None]
    groups: list[str | None]
    links: list[str]


NOBODY: list[str | None] = [None] * 4
WORKERS = ["runs/{}-worker-0", "runs/{}-worker-1"]
SCENARIOS = {
    "one node, auto": Scenario(nodes=1, runs=["", None, None, None], groups=NOBODY, links=["runs/{}"]),
    "one node, shared": Scenario(
        nodes=1, context={"run_mode": "shared"}, runs=[""] * 4, groups=NOBODY, links=["runs/{}"]
    ),
    "one node, new": Scenario(
        nodes=1,
        context={"run_mode": "new"},
        runs=[f"-rank-{rank}" for rank in range(4)],
        groups=[""] * 4,
        links=["groups/{}/workspace"],
    ),
    "auto": Scenario(nodes=2, runs=["", *[None] * 7], groups=NOBODY * 2, links=["runs/{}"]),
    "auto by worker": Scenario(
        nodes=2,
        decorator={"rank_scope": "worker"},
        runs=["-worker-0", None, None, None, "-worker-1", None, None, None],
        groups=NOBODY * 2,
        links=WORKERS,
    ),
    "shared": Scenario(nodes=2, decorator={"run_mode": "shared"}, runs=[""] * 8, groups=NOBODY * 2, links=["runs/{}"]),
    "shared by worker": Scenario(
        nodes=2,
        decorator={"rank_scope": "worker"},
        context={"run_mode": "shared"},
        runs=[f"-worker-{rank // 4}" for rank in range(8)],
        groups=NOBODY * 2,
        links=WORKERS,
    ),
    "new": Scenario(
        nodes=2,
        decorator={"run_mode": "new"},
        runs=[f"-rank-{rank}" for rank in range(8)],
        groups=[""] * 8,
        links=["groups/{}/workspace"],
    ),
    "new by worker": Scenario(
        nodes=2,
        decorator={"run_mode": "new", "rank_scope": "worker"},
        runs=[f"-worker-{rank // 4}-rank-{rank % 4}" for rank in range(8)],
        groups=[f"-worker-{rank // 4}" for rank in range(8)],
        links=["groups/{}-worker-0/workspace", "groups/{}-worker-1/workspace"],
    ),
}


def train(steps: int) -> float | None:
    run, info = get_wandb_run(), get_distributed_info()
    for step in range(steps):
        if run:
            run.log({"loss": 1 / (1 + step), "worker": info["worker_index"] if info else 0})
    return 0.5 if info is None or info["local_rank"] == 0 else None


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def task(scenario: Scenario) -> Any:
    elastic = with_torch("flyteplugins.pytorch").Elastic(nnodes=scenario.nodes, nproc_per_node=4)
    env = flyte.TaskEnvironment(name="scenario", plugin_config=elastic, resources=flyte.Resources(gpu="V100:4"))
    return wandb_init(**PLACE, **scenario.decorator)(env.task(train))


@pytest.mark.usefixtures("offline")
def test_every_rank_has_its_run_and_every_link_a_page_of_them(
    scenario: Scenario, task: Any, run_local: LocalRun, tmp_path: Path
) -> None:
    context = wandb_config(**scenario.context)
    planned, base = preview(task, context=context), "RUN-ACTION"
    assert [plan.run_id for plan in planned.plans] == [None if end is None else base + end for end in scenario.runs]
    assert [plan.group for plan in planned.plans] == [None if end is None else base + end for end in scenario.groups]
    assert [link.url for link in planned.links] == [f"{PAGE}/{page.format(base)}" for page in scenario.links]
    assert run_local(task, steps=2, context=context) == 0.5
    (log,) = by_id(tmp_path).values()
    assert log.id.endswith(scenario.runs[0] or "")
    assert log.logged("worker") == [0, 0]
