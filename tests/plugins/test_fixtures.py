"""The fixtures that come with the package, found by pytest as it is installed, and plans in words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flyte_wandb import Request, StrategyManager, plan
from flyte_wandb.testing import SHAPES, assert_plan, explain, world_of
from tests.checkout import process_environ
from tests.programs import run_pytest

SUITE = """
import flyte
import wandb
import pytest

import flyte_wandb
from flyte_wandb.testing import PluginConformance

env = flyte.TaskEnvironment(name="own")

@flyte_wandb.wandb_init(id="mine", project="vision")
@env.task
def train() -> None:
    flyte_wandb.get_wandb_run().log({"loss": 0.5})

def test_a_task_against_the_server(wandb_online):
    flyte.init()
    flyte.with_runcontext(mode="local").run(train)
    assert wandb_online.run("mine").logged("loss") == [0.5]

@pytest.mark.parametrize("number", [1, 2])
def test_a_run_of_ones_own_starts_afresh_every_time(wandb_online, number):
    with wandb.init(id="plain", project="p") as run:
        run.log({"x": number})
    assert wandb_online.run("plain").logged("x") == [number]

def test_a_run_that_is_left_open_while_the_server_fails(wandb_online):
    run = wandb.init(id="left", project="p")
    wandb_online.fault("file_stream", status=503, times=None)
    run.log({"x": 1})

def test_nobody_writes_to_the_server_by_itself(wandb_server):
    assert wandb_server.runs == ()
    assert wandb_server.environ["WANDB_BASE_URL"] == wandb_server.url

def test_the_strategies_are_the_built_ins_only(wandb_strategies):
    class Names:
        @flyte_wandb.hookimpl
        def compute_run_id(self):
            return "acme"
    asked = flyte_wandb.Request(run_name="r1", action_name="a0")
    with flyte_wandb.use_plugin(Names()):
        assert flyte_wandb.plan(asked, wandb_strategies).run_id == "r1-a0"

class Island:
    @flyte_wandb.hookimpl
    def list_strategies(self):
        return [flyte_wandb.Strategy(kind="rank_scope", name="alone", summary="every rank is a part")]

    @flyte_wandb.hookimpl
    def locate_rank(self, request):
        if request.rank_scope == "alone":
            return flyte_wandb.Part(label=f"rank-{request.topology.rank}")

class TestIsland(PluginConformance):
    plugin = Island()
    rank_scopes = ("alone",)
"""


def test_a_suite_of_somebody_else_finds_fixtures_and_conformance(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(SUITE)
    environ = {"WANDB_CONSOLE": "off", "WANDB_MODE": "offline", "WANDB_RUN_ID": "outer"}
    result = run_pytest("test_own.py", folder=tmp_path, environ=environ)
    assert re.search(r"^13 passed", result.stdout, re.MULTILINE), result.stdout + result.stderr


LOOKS_AROUND = """
import sys

def test_of_somebody_else(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("flyte_wandb")
    print(*sys.modules, sep="\\n")
"""


def test_the_fixtures_cost_a_pytest_that_does_not_use_them_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(LOOKS_AROUND)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "test_other.py"]
    environ = process_environ(tmp_path)
    result = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert "1 passed" in result.stdout, result.stdout + result.stderr
    loaded = result.stdout.splitlines()
    ours = [name for name in loaded if name.startswith(("flyte", "wandb"))]
    assert ours == ["flyte_wandb", "flyte_wandb._pytest_plugin"]


def test_a_plan_is_said_in_words(wandb_strategies: StrategyManager) -> None:
    planned = plan(Request(run_name="r1", action_name="a0", topology=world_of(2, 2)[3]), wandb_strategies)
    assert explain(planned) == (
        "skip has no run, in no group; rank 3 of the 4 of the world\n"
        "  locate_rank: Part(label=None, index=3, size=4) by builtin\n"
        "  choose_initializer: <Role.SKIP: 'skip'> by builtin"
    )


def test_an_assertion_on_a_plan_explains_what_it_is_instead(wandb_strategies: StrategyManager) -> None:
    planned = plan(Request(run_name="r1", action_name="a0"), wandb_strategies)
    assert_plan(planned, role="primary", run_id="r1-a0", group=None, part=None, decided_by={"compute_group": "builtin"})
    with pytest.raises(AssertionError) as caught:
        assert_plan(planned, role="solo", group="g", decided_by={"compute_run_id": "acme"})
    assert str(caught.value) == (
        "role is 'primary', not 'solo'; group is None, not 'g'; author of compute_run_id is 'builtin', not 'acme'\n"
        f"{explain(planned)}"
    )


def test_the_shapes_are_round_ragged_and_drawn_once_and_for_all() -> None:
    assert len(SHAPES) == len(set(SHAPES)) == 24
    assert {len(set(shape)) == 1 for shape in SHAPES} == {True, False}
    assert [len(world_of(*shape)) for shape in SHAPES] == [sum(shape) for shape in SHAPES]
