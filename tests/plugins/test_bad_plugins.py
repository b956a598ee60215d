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
from tests.slips import SLIPS, Slip, declares, hook

PLAN = ("plan", "--nodes", "2", "--per-node", "1", "--run-mode", "shared")
ORIGIN = "plugin 'acme' (acme-names 1.0)"
NAMES = "acme_names"


def way_out(plugin: str) -> str:
    """What follows a message about a plugin that cannot be used."""
    return f" (to continue without it: FLYTE_WANDB_DISABLE_PLUGINS={plugin})"


def not_loaded(failure: str, plugin: str = "acme", module: str = NAMES) -> str:
    """The message about a plugin that cannot be loaded, from its failure on."""
    remedy = f"; repair the module or the entry point, {plugin} = {module!r}, or uninstall it"
    return f"cannot be loaded: {failure}{remedy}{way_out(plugin)}"


def source(head: str, body: str, *, marker: str = "@hookimpl") -> str:
    """A plugin with one hook."""
    return Slip(source=hook(head, body, marker=marker), fault="").module


RUN_ID = "def compute_run_id(request):"
COUNTS = source(RUN_ID, "return f'{request.base}-{next(numbers)}'")
IMPORTED = {
    "raises on import": ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
    "cannot import": (
        "import a_module_that_nobody_has",
        "ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
    ),
    "exits on import": ("raise SystemExit(3)", "SystemExit: 3"),
}
BAD = {
    **{kind: (text, f"{ORIGIN} {not_loaded(failure)}") for kind, (text, failure) in IMPORTED.items()},
    "raises in a hook": (
        source(RUN_ID, "raise LookupError('no team')"),
        "plugin 'acme' failed in compute_run_id: LookupError: no team",
    ),
    "exits in a hook": (source(RUN_ID, "raise SystemExit(3)"), "plugin 'acme' failed in compute_run_id: SystemExit: 3"),
    "refuses": (
        source(RUN_ID, "raise PlanRefusedError('no team: set team=')"),
        "no team: set team= (refused by plugin 'acme' in compute_run_id)",
    ),
    "returns illegal characters": (
        source(RUN_ID, "return 'acme/' + request.base"),
        "compute_run_id of plugin 'acme' answered 'acme/RUN-ACTION': a run id must not contain '/'; W&B rejects "
        ":;,#?/%'",
    ),
    "returns no address": (
        source("def build_link(project_url):", "return 'wandb.ai/' + project_url"),
        "build_link of plugin 'acme' answered 'wandb.ai/https://wandb.example.com/team/vision': a link is an http or "
        "https address",
    ),
    "answers every rank otherwise": (
        f"import itertools\nnumbers = itertools.count()\n{COUNTS}",
        "rank 1, secondary, joins the run 'RUN-ACTION-1', which no rank opens as PRIMARY; compute_run_id of plugin "
        "'acme' has to give one id to all ranks that share a run",
    ),
    "changes what it is given": (
        source(RUN_ID, "request.run_name = 'mine'"),
        "plugin 'acme' failed in compute_run_id: FrozenInstanceError: cannot assign to field 'run_name'",
    ),
    "changes what is in what it is given": (
        source(RUN_ID, "request.settings.init['notes'] = 'mine'"),
        "plugin 'acme' failed in compute_run_id: TypeError: 'mappingproxy' object does not support item assignment",
    ),
    "loses the answer in a wrapper": (
        source("def compute_run_id():", "yield", marker="@hookimpl(wrapper=True)"),
        "compute_run_id of plugin 'builtin', wrapped by 'acme', answered None: the answer got lost in a wrapper: let "
        "the wrapper return what is to be the answer",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_bad_plugin_is_named_with_what_it_did(text: str, message: str, tmp_path: Path) -> None:
    install(tmp_path, "acme-names", text, plugin="acme")
    result = run(*PLAN, folder=tmp_path, environ=PLACE)
    *_, line = result.stderr.splitlines()
    assert (result.returncode, line) == (1, f"Error: {message}")


@pytest.mark.parametrize("kind", ["raises on import", "raises in a hook"])
def test_the_variable_of_the_message_leaves_a_bad_plugin_out(kind: str, tmp_path: Path) -> None:
    install(tmp_path, "acme-names", BAD[kind][0], plugin="acme")
    without = run(*PLAN, folder=tmp_path, environ=PLACE | {"FLYTE_WANDB_DISABLE_PLUGINS": "acme"})
    assert (without.returncode, without.stderr) == (0, "")


@pytest.fixture(scope="module")
def slips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder in which a plugin with each slip is installed, and the message about each."""
    folder = tmp_path_factory.mktemp("slips")
    messages = []
    for number, slip in enumerate(SLIPS.values()):
        name = f"slip-{number}"
        install(folder, name, slip.module, plugin=name, attribute=slip.attribute)
        messages.append(f"plugin '{name}' ({name} 1.0) does not fit the contract: {slip.fault}{way_out(name)}")
    for kind, (text, failure) in IMPORTED.items():
        name = kind.replace(" ", "-")
        install(folder, name, text, plugin=name)
        messages.append(f"plugin '{name}' ({name} 1.0) {not_loaded(failure, name, name.replace('-', '_'))}")
    for name, text in ANSWERS.items():
        install(folder, name, Slip(source=text, fault="").module)
    return folder, [*messages, *WRONG]


EVERY = "Strategy(kind='run_mode', name='every', summary='', example='every:2')"
ZERO = "Strategy(kind='rank_scope', name='zero', summary='')"
ANSWERS = {
    "every": declares(f"[{EVERY}]", body="if request.run_mode == 'every': return Role.SOLO"),
    "zero": declares(
        f"[{ZERO}]", "locate_rank", body="if request.rank_scope == 'zero': return Part(label='zero-0', index=0, size=8)"
    ),
    "mute": declares(f"[{ZERO.replace('zero', 'mute')}]", "locate_rank"),
}
"""Plugins that fit, and whose answers are wrong."""

WRONG = [
    "two ranks own the run 'RUN-ACTION': rank 0, solo, and rank 1, solo; choose_initializer of plugin 'every' has to "
    "let one rank of a part own its run, or the plugin has to compute an id for each owner",
    "rank 0 and rank 1 both have index 0 in the part 'zero-0'; locate_rank of plugin 'zero' has to count the ranks of "
    "a part in `size`, and number them 0, 1, 2, ... in `index`",
    "plugin 'mute' brings the rank_scope 'mute' and answers None for it in locate_rank: answer where "
    "request.rank_scope == 'mute'",
]


def test_the_listing_and_the_doctor_tell_of_every_slip(slips: tuple[Path, list[str]]) -> None:
    folder, messages = slips
    listed = run("plugins", "--json", folder=folder)
    described = json.loads(listed.stdout)
    assert (listed.returncode, [one["problem"] for one in described if one["state"] == "ok"]) == (1, [None])
    assert {one["problem"] for one in described if one["state"] == "broken"} == set(messages)
    checked = run("doctor", folder=folder, environ=PLACE | {"WANDB_MODE": "offline"})
    words = " ".join(checked.stdout.split())
    assert (checked.returncode, [message for message in messages if message not in words]) == (1, [])


def test_two_plugins_of_one_name_are_named_with_both_distributions(tmp_path: Path) -> None:
    for distribution, version in (("acme-names", "1.0"), ("acme-other", "2.0")):
        install(tmp_path, distribution, source(RUN_ID, "return None"), version=version, plugin="acme")
    result = run(*PLAN, folder=tmp_path, environ=PLACE)
    assert result.stderr.splitlines()[-1] == (
        "Error: two plugins are called 'acme': acme-other 2.0 and acme-names 1.0; rename or uninstall one of them"
        f"{way_out('acme')}"
    )


def test_what_a_plugin_prints_is_no_part_of_an_answer(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", f"print('loaded')\n{source(RUN_ID, 'print(request.base)')}", plugin="acme")
    result = run(*PLAN, "--json", folder=tmp_path, environ=PLACE)
    assert json.loads(result.stdout)["summary"]["runs"] == 1
    assert result.stderr.splitlines()[0] == "loaded"


def test_a_slow_plugin_is_named(tmp_path: Path) -> None:
    naps = "import time\nnaps = iter([1.1, 1.1])"
    install(tmp_path, "acme-names", f"{naps}\n{source(RUN_ID, 'time.sleep(next(naps, 0))')}", plugin="acme")
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
