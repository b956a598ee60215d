"""Every link that Flyte renders is the page of a run or group that the same task then opens."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flyte
import pytest
from flyte._persistence._db import LocalDB

from flyte_wandb import WandbConfig, wandb_config
from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer, run_container, run_ranks
from tests.conftest import LocalRun
from tests.links import tasks
from tests.links.rendering import DEPLOYED, filled, pages, stored_links, wire_links
from tests.ranks.tables import ROWS, Row, check

HERE = wandb_config(**tasks.PLACE)
STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the tables, and where its settings stand.

    Attributes:
        task: The task.
        context: Flyte's context, empty where the decorator says it all.
        row: The row of a task of many ranks, or None.
        name: What the case is called.
    """

    task: Any
    context: WandbConfig
    row: Row | None = None
    name: str

    @property
    def inputs(self) -> dict[str, int]:
        return {"steps": STEPS} if self.row else {}

    def launch(self, server: WandbServer, folder: Path) -> list[ContainerResult]:
        """Run the task, or each of its ranks, through the container entry point."""
        options: dict[str, Any] = {"inputs": self.inputs, "context": self.context, "environ": server.environ}
        if self.row is None:
            return [run_container(self.task, folder=folder, **options)]
        return run_ranks(self.task, folder=folder, nodes=self.row.nodes, **options)


def of_ranks(row: Row, source: str) -> Case:
    nodes, name = len(row.nodes), f"{row}-{source}"
    if source == "decorator":
        task = tasks.RANKED[nodes, row.run_mode, row.rank_scope]
        return Case(task=task, context=wandb_config(), row=row, name=name)
    context = WandbConfig(HERE | row.context)
    return Case(task=tasks.RANKED[nodes, None, None], context=context, row=row, name=name)


CASES = [
    *(of_ranks(row, source) for row in ROWS for source in ("decorator", "context")),
    Case(task=tasks.auto, context=wandb_config(), name="auto-decorator"),
    Case(task=tasks.new, context=wandb_config(), name="new-decorator"),
    Case(task=tasks.bare, context=WandbConfig(HERE | wandb_config(run_mode="auto")), name="auto-context"),
    Case(task=tasks.bare, context=WandbConfig(HERE | wandb_config(run_mode="new")), name="new-context"),
]


@pytest.fixture
def run_stored(run_local: LocalRun) -> Iterator[LocalRun]:
    """Flyte's local mode, with its store of runs in this test's home."""
    flyte.init(local_persistence=True)
    yield run_local
    flyte.init()
    LocalDB.get_sync().close()
    LocalDB._conn_sync, LocalDB._initialized = None, False


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_link_is_the_page_of_a_run_or_group_that_the_task_opens(
    case: Case, online: WandbServer, run_stored: LocalRun, tmp_path: Path
) -> None:
    submitted = filled(wire_links(case.task, case.context))
    results = case.launch(online, tmp_path)
    assert [f"{result.error}\n{result.log}" for result in results if result.error or result.exit_code] == []
    opened = online.runs
    if case.row:
        check(case.row, opened, steps=STEPS)
    check_links(submitted, opened, all_parts=not case.context or len(pages(opened)) == 1)
    if not case.context:  # Flyte does not show a deployed task's link the context of a later run
        assert filled(wire_links(case.task, {}, names=DEPLOYED)) == submitted
    run_stored(case.task, context=case.context, name="local", **case.inputs)
    first, *others = stored_links("local").values()
    assert {first} == pages(run for run in online.runs if run not in opened)
    assert others == [f"{online.url}/team/the%20vision"] * (len(submitted) - 1)


def check_links(links: dict[str, str], opened: tuple[RunRecord, ...], *, all_parts: bool) -> None:
    """Every link is a page that exists, of what the task opened; together they are all, where there is one per part."""
    assert set(links.values()) <= pages(opened)
    assert set(links.values()) == pages(opened) or not all_parts
    for address in links.values():
        with urllib.request.urlopen(address) as page:
            assert page.status == 200


@pytest.mark.parametrize(
    ("child", "run_mode"),
    [("auto", ""), ("new", ""), ("shared", ""), ("bare", "auto"), ("bare", "new"), ("bare", "shared")],
)
def test_the_link_of_a_child_that_its_parents_container_renders_is_the_page_of_the_run_it_writes_to(
    child: str, run_mode: str, online: WandbServer, tmp_path: Path
) -> None:
    inputs = {"child": child, "run_mode": run_mode}
    options: dict[str, Any] = {"inputs": inputs, "context": HERE, "environ": online.environ}
    result = run_container(tasks.parent, folder=tmp_path, **options)
    assert result.error is None, result.log
    links = filled(json.loads((tmp_path / "links.json").read_text()), action_name="a1")
    assert list(links.values()) == [online.run(result.value).url]
