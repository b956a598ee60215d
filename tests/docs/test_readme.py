"""The README's code does what the README says."""

from __future__ import annotations

import json
import re
import subprocess
import types
from pathlib import Path
from typing import Any

import pytest

import flyte_wandb_builtin_strategies
from flyte_wandb import Request, Role, Settings, StrategyManager, Topology, plan, preview, wandb_init
from tests.checkout import ROOT, SCRIPTS, process_environ
from tests.cli.running import run
from tests.conftest import own_config
from tests.distributions import install
from tests.docs.consoles import consoles
from tests.docs.pages import table_rows
from tests.offline import logs
from tests.programs import client_environ, run_python

README = (ROOT / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
QUICKSTART = ROOT / "examples" / "quickstart.py"


def block_with(words: str) -> str:
    (found,) = (block for block in BLOCKS if words in block)
    return found


def test_the_first_screen_has_a_task_and_the_two_commands() -> None:
    screen = "\n".join(README.splitlines()[:45])
    assert screen.index("```python") < screen.index("```console")
    assert len(screen.partition("```python")[0].splitlines()) < 15
    assert re.findall(r"^\$ (make \w+)", screen, re.MULTILINE) == ["make demo", "make test"]


def test_the_first_task_is_the_example() -> None:
    assert block_with("epochs: int = 5") == (ROOT / "examples" / "first.py").read_text()


@pytest.mark.usefixtures("clean_client")
def test_the_first_command_prints_what_the_readme_says(tmp_path: Path) -> None:
    (console,) = (one for one in consoles(README) if "first.py" in one.command)
    environ = process_environ(tmp_path, {"WANDB_DIR": str(tmp_path), "PATH": f"{SCRIPTS}:/usr/bin:/bin"})
    command = ["bash", "-c", console.command]
    result = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    printed = re.sub(r"\x1b\[[\d;]*m", "", result.stderr + result.stdout)
    places = [printed.find(line) for line in console.output.splitlines()]
    assert places == sorted(places), printed
    assert places[0] >= 0, printed
    (log,) = logs(tmp_path)
    assert (log.project, log.exit_code, log.logged("loss")) == ("vision", 0, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])


@pytest.mark.usefixtures("clean_client")
def test_the_quickstart_opens_the_runs_that_it_says(tmp_path: Path) -> None:
    environ = client_environ() | {"WANDB_MODE": "offline"}
    result = run_python(str(QUICKSTART), folder=tmp_path, environ=environ)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "0.2"
    found = logs(tmp_path)
    assert sorted((log.tags, log.project, log.exit_code, own_config(log)) for log in found) == [
        ([], "vision", 0, {"lr": 0.1}),
        *[(["fold"], "vision", 0, {"lr": 0.1})] * 3,
    ]
    assert sorted(log.logged("loss")[-1] for log in found if log.history) == [0.2, 0.25, 1 / 3]
    assert [log.summary["best"] for log in found if "best" in log.summary] == [0.2]


def test_the_rows_of_the_comparison_are_those_of_its_page() -> None:
    counted = [cells[:3] for cells in table_rows("docs/comparison.md", "What is right")]
    rows = [row for row in table_rows("README.md", "Compared with flyteplugins-wandb") if row[0].strip("-")]
    assert len(rows) == 3
    assert [row for row in rows if row not in counted] == [], "write the figures of docs/comparison.md into these rows"


@pytest.fixture
def acme() -> StrategyManager:
    """The built-ins, and the plugin of the README."""
    plugin = types.ModuleType("acme_flyte_wandb")
    exec(block_with("def locate_rank"), vars(plugin))
    manager = StrategyManager()
    manager.register(flyte_wandb_builtin_strategies, name="builtin")
    manager.register(plugin, name="acme")
    return manager


@pytest.mark.parametrize(
    ("run_mode", "expected"),
    [
        ("auto", [("r1-a0-island-0", Role.SOLO), (None, Role.SKIP)]),
        ("shared", [("r1-a0-island-0", Role.PRIMARY), ("r1-a0-island-0", Role.SECONDARY)]),
        ("new", [("r1-a0-island-0-rank-0", Role.SOLO), ("r1-a0-island-0-rank-3", Role.SOLO)]),
    ],
)
def test_the_plugin_brings_a_scope_for_every_run_mode(
    run_mode: str, expected: list[tuple[str | None, Role]], acme: StrategyManager
) -> None:
    settings = Settings(run_mode=run_mode, rank_scope="island:4")
    for rank, (run_id, role) in zip((0, 3), expected, strict=True):
        topology = Topology(rank=rank, world_size=8, local_rank=rank, local_world_size=8, launcher="torch-elastic")
        planned = plan(Request(run_name="r1", action_name="a0", settings=settings, topology=topology), acme)
        assert (planned.run_id, planned.role) == (run_id, role)


def test_the_entry_point_makes_the_module_a_plugin(tmp_path: Path) -> None:
    install(tmp_path, "acme-flyte-wandb", block_with("def locate_rank"))
    (written,) = re.findall(r"```toml\n\[project\.entry-points\.(flyte_wandb\])\n(.*?)```", README, re.DOTALL)
    (tmp_path / "acme_flyte_wandb-1.0.dist-info" / "entry_points.txt").write_text(
        "[" + "\n".join(written).replace('"', "")
    )
    (_, acme) = json.loads(run("plugins", "--json", folder=tmp_path).stdout)[::-1]
    assert (acme["name"], acme["state"], acme["distribution"]) == ("acme", "ok", "acme-flyte-wandb")


def test_the_worlds_of_the_page_on_ranks_are_planned_as_declared_and_can_be_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from examples.quickstart import train

    cluster, metrics, ranks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "distributed.md").read_text(), re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(cluster, names)
    for env in (names["elastic"], names["clustered"]):
        assert preview(wandb_init(env.task(empty))).summary == "1 run, 1 link (15 ranks without a run)"
    exec(metrics, {})
    exec(ranks, {"train": train, "tmp_path": tmp_path})
    assert sorted(re.findall(r"run1-a0[\w-]*", capsys.readouterr().out)) == [
        f"run1-a0-rank-{rank}" for rank in range(4)
    ]


def empty() -> None: ...
