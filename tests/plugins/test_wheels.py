"""The example plugins as what they are: wheels that pip installs, alone and together, found through entry points."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from acme_webhook import Webhook, listening_webhook, nobody_answers
from flyte_wandb.testing import WandbServer
from flyte_wandb_org_naming._organisation import WEBHOOK_VARIABLE
from tests.checkout import SCRIPTS, import_path, process_environ
from tests.cli.running import PLACE, run
from tests.conftest import own_config
from tests.docs.consoles import consoles
from tests.links.rendering import filled, pages
from tests.plugins.driver import drive
from tests.plugins.environments import ISLAND, MESH, NAMING, Environments, environments, packages_of

HERE = {"project": "vision", "entity": "team", "tags": ["mine"], "config": {"lr": 0.1}}
BOTH = (ISLAND, NAMING)


def names(installed: tuple[Path, ...]) -> str:
    return "+".join(project.name.removeprefix("flyte-wandb-") for project in installed) or "none"


IN_ALL = pytest.mark.parametrize("installed", [(), (ISLAND,), (NAMING,), BOTH, (MESH,)], ids=names)


@pytest.fixture(scope="session")
def installed_in(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """The interpreter with these plugins, and no other, beside flyte-wandb. The workers of pytest-xdist share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"
    folder.mkdir(exist_ok=True)
    return environments(folder)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening_webhook() as listening:
        yield listening


def run_there(
    python: Path, *arguments: str, folder: Path, program: str = "flyte-wandb", environ: Mapping[str, str] = PLACE
) -> subprocess.CompletedProcess[str]:
    """Run a script of this environment where the packages of another one can be imported."""
    variables = {**environ, "PYTHONPATH": import_path(packages_of(python))}
    return run(*arguments, program=program, folder=folder, environ=variables)


@IN_ALL
def test_the_command_line_finds_what_is_installed(
    installed: tuple[Path, ...], installed_in: Environments, tmp_path: Path
) -> None:
    command = [str(installed_in(*installed)), str(SCRIPTS / "flyte-wandb"), "plugins", "--json"]
    told = json.loads(subprocess.run(command, env=process_environ(tmp_path), capture_output=True, text=True).stdout)
    found = {one["name"]: (one["distribution"], one["version"], one["state"]) for one in told}
    assert found.pop("builtin")[2] == "ok"
    assert found == {project.name.removeprefix("flyte-wandb-"): (project.name, "0.1.0", "ok") for project in installed}


@pytest.mark.parametrize("project", [MESH, *BOTH], ids=lambda project: project.name)
def test_the_wheel_holds_its_package_and_needs_flyte_wandb(project: Path, installed_in: Environments) -> None:
    code = (
        "import importlib.metadata, json, sys\n"
        "found = importlib.metadata.distribution(sys.argv[1])\n"
        "print(json.dumps([found.requires, sorted({file.parts[0] for file in found.files})]))"
    )
    command = [str(installed_in(project)), "-c", code, project.name]
    requires, folders = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    package = project.name.replace("-", "_")
    assert requires == ["flyte-wandb>=0.1"]
    assert folders == [package, f"{package}-0.1.0.dist-info"]


@IN_ALL
def test_the_plan_is_made_with_what_is_installed(
    installed: tuple[Path, ...], installed_in: Environments, tmp_path: Path
) -> None:
    options = ("--per-node", "4", "--run-mode", "new", "--rank-scope", "island:2", "--project", "vision", "--json")
    result = run_there(installed_in(*installed), "plan", *options, folder=tmp_path)
    if ISLAND not in installed:
        assert result.returncode == 1
        assert "'island:2'; known run_modes:" in result.stderr
        return
    prefix, wrappers = ("acme-vision-", ["org-naming"]) if NAMING in installed else ("", [])
    third = json.loads(result.stdout)["ranks"][2]
    assert third["run"] == f"{prefix}RUN-ACTION-island-1-rank-0"
    assert third["group"] == f"{prefix}RUN-ACTION-island-1"
    assert third["decided_by"]["locate_rank"] == ["gpu-island"]
    assert third["decided_by"]["compute_run_id"] == ["builtin", *wrappers]


@pytest.mark.parametrize("project", [MESH, *BOTH], ids=lambda project: project.name)
def test_the_readme_shows_the_plan_as_it_is_printed(project: Path, installed_in: Environments, tmp_path: Path) -> None:
    (shown,) = (one for one in consoles((project / "README.md").read_text()) if " plan " in one.command)
    program, *arguments = shlex.split(shown.command)
    environ = dict(word.split("=", 1) for word in shown.exported)
    result = run_there(installed_in(project), *arguments, folder=tmp_path, program=program, environ=environ)
    assert [line.rstrip() for line in result.stdout.splitlines()] == shown.output.splitlines()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task of two nodes with two ranks each.

    Attributes:
        installed: The plugins.
        task: The task.
        runs: The group of each run, by id.
        settings: Settings of the context, beside those of all cases.
        tags: Tags of each run.
        config: Configuration of each run.
    """

    installed: tuple[Path, ...]
    task: str
    runs: dict[str, str | None]
    settings: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ("mine",)
    config: dict[str, Any] = field(default_factory=lambda: {"lr": 0.1})

    def __str__(self) -> str:
        return f"{names(self.installed)}-{self.task.rpartition(':')[2]}"


def of_ranks(part: str) -> dict[str, str | None]:
    """The runs of two parts of two ranks, where every rank has one."""
    return {f"{part}-{n}-rank-{rank}": f"{part}-{n}" for n in (0, 1) for rank in (0, 1)}


TAGS, COSTS = ("mine", "acme"), {"lr": 0.1, "cost_centre": 4711}
CASES = [
    Case(installed=(), task="tests.ranks.tasks:decorated", runs=of_ranks("run1-a0-worker")),
    Case(
        installed=(ISLAND,),
        task="tests.plugins.island_tasks:auto",
        runs={"run1-a0-island-0": None, "run1-a0-island-1": None},
    ),
    Case(
        installed=(NAMING,),
        task="tests.ranks.tasks:decorated",
        runs=of_ranks("acme-vision-run1-a0-worker"),
        tags=TAGS,
        config=COSTS,
    ),
    Case(
        installed=BOTH,
        task="tests.plugins.island_tasks:new",
        runs=of_ranks("acme-vision-exp-island"),
        settings={"id": "exp", "config": {"cost_centre": 7}},
        tags=TAGS,
        config={"cost_centre": 7},
    ),
    Case(
        installed=BOTH,
        task="tests.plugins.island_tasks:shared",
        runs=dict.fromkeys(("acme-vision-run1-a0-island-0", "acme-vision-run1-a0-island-1"), None),
        tags=TAGS,
        config=COSTS,
    ),
    Case(
        installed=(MESH,),
        task="tests.plugins.mesh_tasks:per_replica",
        runs={"run1-a0-dp-0": None, "run1-a0-dp-1": None},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ranks_open_the_runs_to_which_the_links_lead(
    case: Case, installed_in: Environments, server: WandbServer, webhook: Webhook, tmp_path: Path
) -> None:
    environ = server.environ | {WEBHOOK_VARIABLE: webhook.address}
    options: dict[str, Any] = {"settings": HERE | case.settings, "nodes": (2, 2), "inputs": {"steps": 1}}
    told = drive(installed_in(*case.installed), case.task, folder=tmp_path, environ=environ, **options)
    assert told.faults == []
    assert {run.id: run.group for run in server.runs} == case.runs
    assert [(run.tags, own_config(run), run.state) for run in server.runs] == [
        (case.tags, case.config, "finished") for _ in case.runs
    ]
    assert set(filled(told.links).values()) == pages(server.runs)
    heard = [(run.id, run.url, "finished") for run in server.runs if NAMING in case.installed]
    assert sorted((post["run_id"], post["url"], post["outcome"]) for post in webhook.posts) == sorted(heard)


def test_the_webhook_hears_of_a_run_that_failed(
    installed_in: Environments, server: WandbServer, webhook: Webhook, tmp_path: Path
) -> None:
    environ = server.environ | {WEBHOOK_VARIABLE: webhook.address}
    options: dict[str, Any] = {"settings": HERE, "inputs": {"how": "raise"}, "environ": environ}
    told = drive(installed_in(NAMING), "tests.container.tasks:fails", folder=tmp_path, **options)
    assert "the user's own" in (told.ended[0].error or "")
    (run,) = server.runs
    assert run.state == "failed"
    assert webhook.posts == [{"run_id": "acme-vision-run1-a0", "url": run.url, "outcome": "failed"}]


def test_the_webhook_hears_of_a_run_that_has_no_page_yet(
    installed_in: Environments, webhook: Webhook, tmp_path: Path
) -> None:
    environ = {"WANDB_MODE": "offline", WEBHOOK_VARIABLE: webhook.address}
    options: dict[str, Any] = {"settings": HERE, "inputs": {"x": 1}, "environ": environ}
    told = drive(installed_in(NAMING), "tests.container.tasks:leaf", folder=tmp_path, **options)
    assert told.faults == []
    assert "URL not available" not in told.ended[0].log
    assert webhook.posts == [{"run_id": "acme-vision-run1-a0", "url": None, "outcome": "finished"}]


@pytest.fixture(params=["never answers", "is closed"])
def dead_end(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a webhook that cannot be told."""
    with nobody_answers() as address:
        if request.param == "never answers":
            yield address
            return
    yield address


def test_a_webhook_that_cannot_be_told_harms_nothing(
    dead_end: str, installed_in: Environments, server: WandbServer, tmp_path: Path
) -> None:
    environ = server.environ | {WEBHOOK_VARIABLE: dead_end}
    options: dict[str, Any] = {"settings": HERE, "inputs": {"x": 1}, "environ": environ}
    told = drive(installed_in(NAMING), "tests.container.tasks:leaf", folder=tmp_path, **options)
    assert told.faults == []
    assert told.ended[0].value == "acme-vision-run1-a0"
    assert server.run("acme-vision-run1-a0").state == "finished"
    assert "secret" not in told.ended[0].log


def test_an_image_without_the_plugin_says_what_is_missing(
    installed_in: Environments, server: WandbServer, tmp_path: Path
) -> None:
    submitted = drive(installed_in(ISLAND), folder=tmp_path, settings={"rank_scope": "island:2"}).context
    assert json.loads(submitted["_wandb_plugins"]) == {"gpu-island": "flyte-wandb-gpu-island 0.1.0"}
    options: dict[str, Any] = {"context": submitted, "inputs": {"x": 1}, "environ": server.environ}
    (ended,) = drive(installed_in(), "tests.container.tasks:leaf", folder=tmp_path, **options).ended
    assert ended.error is not None
    assert "plugin 'gpu-island' (flyte-wandb-gpu-island 0.1.0)" in ended.error
    assert "is missing here; add `flyte-wandb-gpu-island` to the task's image" in ended.error
    assert "printed by the task" not in ended.log
    assert server.runs == ()


@pytest.fixture
def newer_island(tmp_path: Path) -> Path:
    """The sources of the next version of the plugin."""
    project = tmp_path / "next" / ISLAND.name
    shutil.copytree(ISLAND, project)
    metadata = project / "pyproject.toml"
    metadata.write_text(metadata.read_text().replace('version = "0.1.0"', 'version = "0.2.0"'))
    return project


def test_an_image_with_another_version_says_so(
    newer_island: Path, installed_in: Environments, server: WandbServer, tmp_path: Path
) -> None:
    submitted = drive(installed_in(ISLAND), folder=tmp_path, settings={"rank_scope": "island:2"}).context
    options: dict[str, Any] = {"context": submitted, "inputs": {"x": 1}, "environ": server.environ}
    told = drive(installed_in(newer_island), "tests.container.tasks:leaf", folder=tmp_path, **options)
    assert told.faults == []
    assert (
        "plugin 'gpu-island' is flyte-wandb-gpu-island 0.2.0 here and was flyte-wandb-gpu-island 0.1.0 where this task "
        "was submitted"
    ) in told.ended[0].log
    assert [run.id for run in server.runs] == ["run1-a0"]
