"""Every link that Flyte renders is the page of a run or group that the same task then opens."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import flyte
import pytest
from flyte._persistence._db import LocalDB

from flyte_wandb import WandbConfig, wandb_config
from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer, run_container, run_ranks
from tests.conftest import WITHOUT_PACKAGES, LocalRun
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
        project: Where its runs are.
        row: The row of a task of many ranks, or None.
        name: What the case is called.
    """

    task: Any
    context: WandbConfig
    project: str = tasks.PLACE["project"]
    row: Row | None = None
    name: str

    @property
    def inputs(self) -> dict[str, int]:
        return {"steps": STEPS} if self.row else {}

    def runs(self, server: WandbServer) -> tuple[RunRecord, ...]:
        """The runs of the case."""
        return tuple(run for run in server.runs if run.project == self.project)


def of_ranks(row: Row, source: str) -> Case:
    nodes, name = len(row.nodes), f"{row}-{source}"
    if source == "decorator":
        task = tasks.RANKED[nodes, row.run_mode, row.rank_scope]
        place, context = tasks.place_of(f"{row.run_mode} {row.rank_scope} {nodes}"), wandb_config()
    else:
        task, place = tasks.RANKED[nodes, None, None], tasks.place_of(name)
        context = WandbConfig(wandb_config(**place) | row.context)
    return Case(task=task, context=context, project=place["project"], row=row, name=name)


OF_RANKS = [of_ranks(row, source) for row in ROWS for source in ("decorator", "context")]
OF_ONE = [
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


class Launches:
    """The ranks of all cases with the same nodes, which one launch starts when the first of them is asked for."""

    def __init__(self, server: WandbServer, folder: Path) -> None:
        self.server = server
        self._folder = folder
        self._failed: dict[str, list[str]] = {}

    def failed(self, case: Case) -> list[str]:
        """Return what went wrong in the ranks of a case."""
        if case.name not in self._failed:
            assert case.row is not None
            self._launch(case.row.nodes)
        return self._failed[case.name]

    def _launch(self, nodes: tuple[int, ...]) -> None:
        cases = [case for case in OF_RANKS if case.row and case.row.nodes == nodes]
        names, contexts = [case.task.func.__name__ for case in cases], [dict(case.context) for case in cases]
        inputs = {"steps": STEPS, "names": names, "contexts": contexts}
        folder = self._folder / f"{len(nodes)}"
        folder.mkdir()
        task = {1: tasks.on_one_node, 2: tasks.on_two_nodes}[len(nodes)]
        environ = {**self.server.environ, **WITHOUT_PACKAGES}
        options: dict[str, Any] = {
            "inputs": inputs,
            "environ": environ,
            "timeout": 200.0,
        }  # many rows of a busy machine
        results = run_ranks(task, folder=folder, nodes=nodes, **options)
        assert errors(results) == []
        failed = [json.loads((folder / f"failed-{rank}.json").read_text()) for rank in range(len(results))]
        self._failed |= {case.name: [one[str(n)] for one in failed if str(n) in one] for n, case in enumerate(cases)}


@pytest.fixture(scope="module")
def launches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launches]:
    with WandbServer() as server:
        server.add_team("team")
        yield Launches(server, tmp_path_factory.mktemp("launches"))
        assert server.unknown_operations == ()


@pytest.fixture
def of_launches(launches: Launches, clean_client: None, monkeypatch: pytest.MonkeyPatch) -> Launches:
    """The launches, to whose server the client of this process writes, too."""
    for name, value in launches.server.environ.items():
        monkeypatch.setenv(name, value)
    return launches


@pytest.mark.parametrize("case", OF_RANKS, ids=lambda case: case.name)
def test_every_link_is_the_page_of_a_run_or_group_that_the_ranks_open(
    case: Case, of_launches: Launches, run_stored: LocalRun
) -> None:
    """The ranks take one row after the other, each in a project of its own, as in tests/ranks under torch."""
    assert of_launches.failed(case) == []
    opened = case.runs(of_launches.server)
    assert case.row is not None
    check(case.row, opened, steps=STEPS)
    check_case(case, opened, of_launches.server, run_stored)


@pytest.mark.parametrize("case", OF_ONE, ids=lambda case: case.name)
def test_every_link_is_the_page_of_a_run_that_the_task_opens(
    case: Case, online: WandbServer, run_stored: LocalRun, tmp_path: Path
) -> None:
    result = run_container(case.task, folder=tmp_path, context=case.context, environ=online.environ)
    assert errors([result]) == []
    check_case(case, case.runs(online), online, run_stored)


def errors(results: list[ContainerResult]) -> list[str]:
    return [f"{result.error}\n{result.log}" for result in results if result.error or result.exit_code]


def check_case(case: Case, opened: tuple[RunRecord, ...], server: WandbServer, run_stored: LocalRun) -> None:
    """Compare the links of a submission, of a deployment and of local mode with what was opened."""
    submitted = filled(wire_links(case.task, case.context))
    check_links(submitted, opened, all_parts=not case.context or len(pages(opened)) == 1)
    if not case.context:  # Flyte does not show a deployed task's link the context of a later run
        assert filled(wire_links(case.task, {}, names=DEPLOYED)) == submitted
    run_stored(case.task, context=case.context, name="local", **case.inputs)
    first, *others = stored_links("local").values()
    assert {first} == pages(run for run in case.runs(server) if run not in opened)
    assert others == [f"{server.url}/team/{quote(case.project)}"] * (len(submitted) - 1)


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
