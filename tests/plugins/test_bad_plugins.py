"""Plugins that are wrong in every way we could think of: real distributions on disk, found through entry points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flyte_wandb.testing import WandbServer, run_container
from tests.cli.running import PLACE, run
from tests.container import tasks
from tests.distributions import install

PLAN = ("plan", "--nodes", "2", "--per-node", "1", "--run-mode", "shared")
ORIGIN = "plugin 'acme' (acme-names 1.0)"
REMEDY = "; repair or uninstall it, or leave it out with FLYTE_WANDB_DISABLE_PLUGINS=acme"


def source(body: str, hook: str = "compute_run_id", arguments: str = "request", marker: str = "@hookimpl") -> str:
    """A plugin with one hook."""
    imports = "from flyte_wandb import PlanRefusedError, Strategy, hookimpl"
    return f"{imports}\n\n{marker}\ndef {hook}({arguments}):\n    {body}\n"


COUNTS = "return f'{request.base}-{next(numbers)}'"
BAD = {
    "raises on import": ("raise RuntimeError('no GPU')", f"{ORIGIN} cannot be loaded: RuntimeError: no GPU{REMEDY}"),
    "cannot import": (
        "import a_module_that_nobody_has",
        f"{ORIGIN} cannot be loaded: ModuleNotFoundError: No module named 'a_module_that_nobody_has'{REMEDY}",
    ),
    "exits on import": ("raise SystemExit(3)", f"{ORIGIN} cannot be loaded: SystemExit: 3{REMEDY}"),
    "raises in a hook": (
        source("raise LookupError('no team')"),
        "plugin 'acme' failed in compute_run_id: LookupError: no team",
    ),
    "exits in a hook": (
        source("raise SystemExit(3)"),
        "plugin 'acme' failed in compute_run_id: SystemExit: 3",
    ),
    "refuses": (
        source("raise PlanRefusedError('no team: set team=')"),
        "no team: set team= (refused by plugin 'acme' in compute_run_id)",
    ),
    "returns a number": (
        source("return 7"),
        "compute_run_id of plugin 'acme' answered 7: a run id must be a string, not int",
    ),
    "returns an empty text": (
        source("return ''"),
        "compute_run_id of plugin 'acme' answered '': a run id must not be empty, or start or end with white space",
    ),
    "returns illegal characters": (
        source("return 'acme/' + request.base"),
        "compute_run_id of plugin 'acme' answered 'acme/RUN-ACTION': a run id must not contain '/'; W&B rejects :;,#?/%'",
    ),
    "returns a group that is none": (
        source("return request.base", hook="compute_group"),
        "compute_group of plugin 'acme' answered 'RUN-ACTION': a group is a Group, not str; Group(name=None) means no "
        "group",
    ),
    "returns no part": (
        source("return 'island-0'", hook="locate_rank"),
        "locate_rank of plugin 'acme' answered 'island-0': a part is a Part, not str",
    ),
    "returns no role": (
        source("return 'solo'", hook="choose_initializer"),
        "choose_initializer of plugin 'acme' answered 'solo': a role is a Role, not str",
    ),
    "returns no address": (
        source("return 'wandb.ai/' + project_url", hook="build_link", arguments="project_url"),
        "build_link of plugin 'acme' answered 'wandb.ai/https://wandb.example.com/team/vision': a link is an http or "
        "https address",
    ),
    "answers every rank otherwise": (
        f"import itertools\nnumbers = itertools.count()\n{source(COUNTS)}",
        "rank 1, secondary, is to join the run 'RUN-ACTION-1', which no rank opens as PRIMARY; its role is by plugin "
        "'builtin', its id by plugin 'acme'",
    ),
    "changes what it is given": (
        source("request.run_name = 'mine'"),
        "plugin 'acme' failed in compute_run_id: FrozenInstanceError: cannot assign to field 'run_name'",
    ),
    "changes what is in what it is given": (
        source("request.settings.init['notes'] = 'mine'"),
        "plugin 'acme' failed in compute_run_id: TypeError: 'mappingproxy' object does not support item assignment",
    ),
    "brings a strategy that is built in": (
        source("return [Strategy(kind='rank_scope', name='worker', summary='')]", "list_strategies", ""),
        "two plugins bring the rank_scope 'worker': 'builtin' and 'acme'; leave one out with "
        "FLYTE_WANDB_DISABLE_PLUGINS=acme",
    ),
    "has a hook that nobody knows": (
        source("return 'r1'", hook="compute_runid"),
        f"{ORIGIN} does not fit the contract: unknown hook 'compute_runid' in plugin <module 'acme_names' from "
        "'{folder}/acme_names.py'>",
    ),
    "has an argument that nobody knows": (
        source("return 'r1'", arguments="reqest"),
        f"{ORIGIN} does not fit the contract: Plugin 'acme' for hook 'compute_run_id' hookimpl definition: "
        "compute_run_id(reqest) Argument(s) {{'reqest'}} are declared in the hookimpl but can not be found in the "
        "hookspec",
    ),
    "has an argument with a default": (
        source("return 'r1'", arguments="reqest=None"),
        f"{ORIGIN} does not fit the contract: the argument 'reqest' of compute_run_id has a default or is keyword-"
        "only, so it is not handed over; what compute_run_id is given: request, part, role",
    ),
    "has a coroutine": (
        source("return 'r1'").replace("def ", "async def "),
        f"{ORIGIN} does not fit the contract: compute_run_id is a coroutine function; hooks are called without being "
        "awaited: write `def`",
    ),
    "loses the answer in a wrapper": (
        source("yield", marker="@hookimpl(wrapper=True)"),
        "compute_run_id of plugin 'builtin', wrapped by 'acme', answered None: the answer got lost in a wrapper, which "
        "has to return what it wants to be the answer",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_plugin_is_named_with_what_it_did(text: str, message: str, tmp_path: Path) -> None:
    install(tmp_path, "acme-names", text, plugin="acme")
    result = run(*PLAN, folder=tmp_path, environ=PLACE)
    *_, line = result.stderr.splitlines()
    assert (result.returncode, line) == (
        1,
        "Error: " + message.replace("{folder}", str(tmp_path)).replace("{{", "{").replace("}}", "}"),
    )
    without = run(*PLAN, folder=tmp_path, environ=PLACE | {"FLYTE_WANDB_DISABLE_PLUGINS": "acme"})
    assert (without.returncode, without.stderr) == (0, "")


def test_a_class_in_the_place_of_an_instance_is_told(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", "class Names: ...", plugin="acme")
    points = next(tmp_path.glob("*.dist-info")) / "entry_points.txt"
    points.write_text("[flyte_wandb]\nacme = acme_names:Names\n")
    result = run(*PLAN, folder=tmp_path, environ=PLACE)
    assert result.stderr.splitlines()[-1] == (
        f"Error: {ORIGIN} does not fit the contract: Names is a class, whose hooks have no self; register an instance, "
        "or a module"
    )


def test_two_plugins_of_one_name_are_named_with_both_distributions(tmp_path: Path) -> None:
    for distribution, version in (("acme-names", "1.0"), ("acme-other", "2.0")):
        install(tmp_path, distribution, source("return None"), version=version, plugin="acme")
    result = run(*PLAN, folder=tmp_path, environ=PLACE)
    assert result.stderr.splitlines()[-1] == "Error: two plugins are called 'acme': acme-other 2.0 and acme-names 1.0"


def test_what_a_plugin_prints_is_no_part_of_an_answer(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", f"print('loaded')\n{source('print(request.base)')}", plugin="acme")
    result = run(*PLAN, "--json", folder=tmp_path, environ=PLACE)
    assert json.loads(result.stdout)["summary"]["runs"] == 1
    assert result.stderr.splitlines()[0] == "loaded"


def test_a_slow_plugin_is_named(tmp_path: Path) -> None:
    naps = "import time\nnaps = iter([1.1, 1.1])"
    install(tmp_path, "acme-names", f"{naps}\n{source('time.sleep(next(naps, 0))')}", plugin="acme")
    result = run("plan", "--per-node", "1", folder=tmp_path, environ=PLACE)
    assert result.returncode == 0
    assert result.stderr.splitlines() == [
        "plugin 'acme' took 1 s in compute_run_id: every task and every rank waits for its hooks"
    ]


@pytest.mark.parametrize("kind", ["exits on import", "raises in a hook", "returns illegal characters"])
def test_in_a_container_it_stops_the_task_before_its_body(
    kind: str, server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, message = BAD[kind]
    folder = tmp_path / "installed"
    folder.mkdir()
    install(folder, "acme-names", text, plugin="acme")
    monkeypatch.syspath_prepend(folder)
    options: dict[str, Any] = {"inputs": {"x": 1}, "environ": server.environ}
    result = run_container(tasks.leaf, folder=tmp_path, **options)
    assert message.partition("RUN-ACTION")[0] in f"{result.error}\n{result.log}"
    assert "printed by the task" not in result.log
    assert server.runs == ()
