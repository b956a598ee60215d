"""The README's code does what the README says."""

from __future__ import annotations

import json
import os
import re
import types
from pathlib import Path
from typing import Any

import pytest

import flyte_wandb_builtin_strategies
from flyte_wandb import Request, Role, Settings, StrategyManager, Topology, plan
from tests.checkout import ROOT, import_path
from tests.cli.running import run
from tests.conftest import own_config
from tests.distributions import install
from tests.docs.consoles import consoles
from tests.offline import logs
from tests.programs import run_python

README = (ROOT / "README.md").read_text()
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
QUICKSTART = ROOT / "examples" / "quickstart.py"


def block_with(words: str) -> str:
    (found,) = (block for block in BLOCKS if words in block)
    return found


def test_the_first_lines_are_the_two_commands() -> None:
    assert re.findall(r"^\$ (make \w+)", README, re.MULTILINE)[:2] == ["make demo", "make test"]


def test_the_quickstart_is_the_example() -> None:
    assert block_with("async def main") == QUICKSTART.read_text()


@pytest.mark.usefixtures("clean_client")
def test_the_quickstart_opens_the_runs_that_it_says(tmp_path: Path) -> None:
    environ = os.environ | {"WANDB_MODE": "offline", "PYTHONPATH": import_path()}
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


@pytest.mark.parametrize("words", ["flyte wandb plan"])
def test_a_command_prints_what_the_readme_says(words: str, tmp_path: Path) -> None:
    (console,) = (one for one in consoles(README) if words in one.command)
    assert console.printed(tmp_path) == console.output


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
        ("auto", [("acme-r1-a0-island-0", Role.SOLO), (None, Role.SKIP)]),
        ("shared", [("acme-r1-a0-island-0", Role.PRIMARY), ("acme-r1-a0-island-0", Role.SECONDARY)]),
        ("new", [("acme-r1-a0-island-0-rank-0", Role.SOLO), ("acme-r1-a0-island-0-rank-3", Role.SOLO)]),
    ],
)
def test_the_plugin_brings_a_scope_for_every_run_mode_and_prefixes_ids(
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


def test_the_way_to_test_a_task_works(tmp_path: Path) -> None:
    from examples.quickstart import train

    names: dict[str, Any] = {"train": train}
    exec(block_with("def test_training"), names)
    names["test_training"](tmp_path)


def test_the_way_to_try_ranks_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from examples.quickstart import train

    metrics, ranks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "distributed.md").read_text(), re.DOTALL)
    exec(metrics, {})
    exec(ranks, {"train": train, "tmp_path": tmp_path})
    assert sorted(re.findall(r"run1-a0[\w-]*", capsys.readouterr().out)) == [
        f"run1-a0-rank-{rank}" for rank in range(4)
    ]
