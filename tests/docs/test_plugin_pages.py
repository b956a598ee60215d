"""The pages for plugin authors: their commands print what they say, their packages install, their promises hold."""

from __future__ import annotations

import dataclasses
import json
import re
import site
import subprocess
import sys
import threading
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import flyte
import pytest

import flyte_wandb
import flyte_wandb_hookspecs
from examples.jobs import finetune
from flyte_wandb import (
    Part,
    RefusedError,
    Request,
    Role,
    SettingError,
    Wandb,
    hookimpl,
    plan,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb import _logging as _notices
from flyte_wandb.cli._new_plugin import build_files, write_plugin
from flyte_wandb.links._placeholders import _SAMPLES
from flyte_wandb.runs._run_hooks import OBSERVER_SECONDS, collect_contributions
from flyte_wandb.settings._limits import RUN_ID
from flyte_wandb.testing import PluginConformance, WandbServer, run_container, run_ranks
from tests.checkout import ROOT, SCRIPTS, import_path, process_environ
from tests.cli.running import PLACE, run
from tests.conftest import LocalRun, own_config
from tests.container import tasks
from tests.distributions import install
from tests.docs.consoles import Console, consoles
from tests.messages import own_messages
from tests.offline import by_id
from tests.programs import run_python
from tests.pure.worlds import ALONE, launched, manager, plan_text, request
from tests.ranks.tasks import ranked

DOCS = ROOT / "docs"
PAGES = {
    name: (DOCS / f"{name}.md").read_text()
    for name in ("write-a-rank-scope", "write-a-run-mode", "your-organisations-run-ids", "compatibility")
}
SCOPE, MODE, NAMES, _ = PAGES.values()
WRITTEN = {
    "write-a-rank-scope": ("gpu-island", {"rank_scope": "island"}),
    "write-a-run-mode": ("every-rank", {"run_mode": "every"}),
}
"""The package that `flyte-wandb new-plugin` writes on a page."""

CONSOLES = [(name, console) for name, page in PAGES.items() for console in consoles(page)]
COMMANDS = [(name, console) for name, console in CONSOLES if "flyte wandb" in console.command]
BLOCKS = [block for page in PAGES.values() for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]
LINK: dict[str, Any] = {"run_name": "{{.runName}}", "action_name": "{{.actionName}}", "project": "p", "domain": "d"}
LINK |= {"context": {}, "parent_action_name": "", "pod_name": ""}

env = flyte.TaskEnvironment(name="plugin_pages")


@wandb_init(id="top", tags=["mine"], config={"model": {"layers": [1, 2]}})
@env.task
async def train(fail: bool) -> None:
    if fail:
        raise ValueError("no data")


def module(name: str, source: str) -> types.ModuleType:
    made = types.ModuleType(name)
    exec(source, vars(made))
    return made


def block_with(words: str, page: str) -> str:
    (found,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if words in block)
    return str(found)


def code_lines(block: str) -> list[str]:
    """The lines of a plugin that are neither blank nor imports."""
    return [line for line in block.splitlines() if line.strip() and not line.startswith(("from ", "import "))]


ISLAND = module("gpu_island", block_with("def locate_rank", SCOPE))
EVERY = module("every_rank", block_with("def read_step", MODE))
PREFIX = module("acme_names", block_with('return f"acme-{run_id}"', NAMES))
HASH = module("acme_names", block_with("hexdigest", NAMES))
GROUPS = module("acme_names", block_with("compute_group", NAMES))
COSTS = module("acme_names", block_with("COST_CENTRES", NAMES))
OBSERVERS = block_with("def run_started", NAMES)
PLUGIN = "from flyte_wandb import hookimpl\n\n@hookimpl\ndef run_started(run): ..."


# Every page


@pytest.mark.parametrize(
    "console",
    [console for _, console in COMMANDS],
    ids=[f"{name}-{console.command[12:]}" for name, console in COMMANDS],
)
def test_a_command_prints_what_the_page_says(console: Console, tmp_path: Path) -> None:
    assert console.printed(tmp_path) == console.output


def test_no_other_command_goes_untried() -> None:
    others = [(name, console.command) for name, console in CONSOLES if "flyte wandb" not in console.command]
    for name, (distribution, words) in WRITTEN.items():
        ((concern, word),) = words.items()
        new = f"flyte-wandb new-plugin {distribution} --{concern.replace('_', '-')} {word}"
        assert [command for page, command in others if page == name] == [
            new,
            f"cd {distribution}",
            "pip install -e '.[test]'",
            "pytest",
        ]
    assert {page for page, _ in others} == set(WRITTEN)


@pytest.mark.parametrize("page", WRITTEN)
def test_the_package_of_a_page_is_the_one_that_the_command_of_the_page_writes(page: str, tmp_path: Path) -> None:
    _, command = next(console.command.split(maxsplit=1) for name, console in CONSOLES if name == page)
    output = next(console.output for name, console in CONSOLES if name == page)
    assert run(*command.split(), folder=tmp_path).stdout.rstrip() == output
    written = {path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".py", ".toml")}
    shown = re.findall(r"```(?:python|toml)\n(.*?)```", PAGES[page], re.DOTALL)
    assert [
        block for block in shown if block not in written and "forgets" not in PAGES[page].partition(block)[0][-99:]
    ] == []
    assert len(written & set(shown)) == 2


@pytest.mark.parametrize("block", [block for block in BLOCKS if "@hookimpl" in block])
def test_every_plugin_of_the_pages_fits_the_contract(block: str) -> None:
    plugin = module("plugin", block)
    hooks = re.findall(r"^@hookimpl.*\ndef (\w+)", block, re.MULTILINE)
    assert manager(plugin=plugin).hooks_of("plugin") == sorted(hooks)


def test_the_code_that_is_no_plugin_runs() -> None:
    (block,) = (block for block in BLOCKS if "@hookimpl" not in block and "def test_" not in block)
    made = vars(module("image", block))
    assert made["env"].image is made["image"]


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, "hooks"])
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = DOCS / f"{name}.md"
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        aim = (DOCS / target).resolve() if target else page
        assert aim.exists(), target
        assert not anchor or anchor in anchors(aim.read_text()), f"{target}#{anchor}"


def test_the_readme_lists_the_pages() -> None:
    _, _, section = (ROOT / "README.md").read_text().partition("## Documentation\n")
    linked = re.findall(r"\(docs/([\w-]+)\.md\)", section.partition("\n## ")[0])
    assert {*PAGES, "hooks", "test-your-plugin"} <= set(linked)


# Write a rank scope

ONE_AFTER_ANOTHER = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv[:] = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        assert not ended.code, words
"""


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A Python that has all that this one has installed, and takes more without changing this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (packages,) = (tmp_path / "venv").rglob("site-packages")
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages()]
    (packages / "outer.pth").write_text("".join(lines))
    return tmp_path / "venv" / "bin" / "python"


def test_the_package_of_the_page_installs_and_is_listed_and_plans(interpreter: Path, tmp_path: Path) -> None:
    name, words = WRITTEN["write-a-rank-scope"]
    folder = tmp_path / name
    write_plugin(name, words, folder)
    environ = process_environ(tmp_path, PLACE | {"PYTHONPATH": import_path(), "TMPDIR": str(tmp_path)})
    options = ["--no-index", "--no-build-isolation", "--quiet"]
    installs = ["-m", "pip", "--python", str(interpreter), "install", *options, "-e", ".[test]"]
    subprocess.run([sys.executable, *installs], cwd=folder, env=environ, check=True)
    of_the_package = [console for name, console in COMMANDS if name == "write-a-rank-scope"][:3]
    commands = [[str(SCRIPTS / "flyte"), *console.command.split()[1:]] for console in of_the_package]
    program = [str(interpreter), "-c", ONE_AFTER_ANOTHER, json.dumps(commands)]
    printed = subprocess.run(program, cwd=tmp_path, env=environ, capture_output=True, text=True)
    lines = [line.rstrip() for line in printed.stdout.splitlines()]
    assert "\n".join(lines) == "\n".join(console.output for console in of_the_package), printed.stderr
    tests = subprocess.run([str(interpreter), "-m", "pytest"], cwd=folder, env=environ, capture_output=True, text=True)
    assert "9 passed" in tests.stdout, tests.stdout + tests.stderr


def test_the_naming_rule_takes_five_lines() -> None:
    assert len(code_lines(block_with('return f"acme-{run_id}"', NAMES))) <= 5


def test_the_naming_rule_is_what_the_command_writes() -> None:
    text = build_files("acme-names", {"names": "acme"})["acme_names/names.py"]
    assert text.endswith(block_with('return f"acme-{run_id}"', NAMES))


class TestTheScope(PluginConformance):
    plugin: ClassVar[Any] = ISLAND
    rank_scopes = ("island:1", "island:4")


class TestTheMode(PluginConformance):
    plugin: ClassVar[Any] = EVERY
    run_modes = ("every:1", "every:3")


class TestTheNames(PluginConformance):
    plugin: ClassVar[Any] = PREFIX


class TestTheGroups(PluginConformance):
    plugin: ClassVar[Any] = GROUPS


def test_what_the_page_says_follows_from_the_part() -> None:
    strategies = manager(island=ISLAND)
    seventh = launched(8)[6]
    found = {
        mode: plan(request(seventh, run_mode=mode, rank_scope="island:4"), strategies)
        for mode in ("auto", "shared", "new")
    }
    assert found["new"].part == Part(label="island-1", index=2, size=4)
    assert {mode: plan_text(one) for mode, one in found.items()} == {
        "auto": "skip",
        "shared": "secondary r1-a0-island-1",
        "new": "solo r1-a0-island-1-rank-2 in r1-a0-island-1",
    }
    fifth = plan(request(launched(8)[4], rank_scope="island:4"), strategies)
    assert plan_text(fifth) == "solo r1-a0-island-1"


@pytest.mark.parametrize("scope", ["island", "island:", "island:x", "island:0"])
def test_all_ranks_refuse_what_cannot_be_right(scope: str) -> None:
    for topology in launched(4):
        with pytest.raises(
            RefusedError, match=rf"^rank_scope '{scope}': .* \(refused by plugin 'island' in locate_rank"
        ):
            plan(request(topology, rank_scope=scope), manager(island=ISLAND))


def test_a_task_of_one_process_keeps_its_id_under_a_scope_for_the_whole_run() -> None:
    assert plan_text(plan(request(ALONE, rank_scope="island:4"), manager(island=ISLAND))) == "primary r1-a0"


@pytest.mark.usefixtures("offline")
def test_a_refusal_stops_the_task_before_its_body(run_local: LocalRun, tmp_path: Path) -> None:
    with use_plugin(ISLAND), pytest.raises(flyte.errors.RuntimeUserError, match=r"such as island:4 \(refused by"):
        run_local(finetune, context=wandb_config(rank_scope="island:few"))
    assert by_id(tmp_path) == {}
    with use_plugin(ISLAND):
        run_local(finetune, context=wandb_config(rank_scope="island:4", id="top"))
    assert set(by_id(tmp_path)) == {"top-island-0"}


def test_a_scope_that_no_plugin_declares_is_refused_at_the_decorator() -> None:
    with pytest.raises(SettingError, match="no plugin brings it"):
        wandb_init(rank_scope="island:4")
    with use_plugin(ISLAND):
        wandb_init(rank_scope="island:4")


# Write a run mode


def test_a_task_of_one_process_has_one_run_without_a_rank_under_the_mode() -> None:
    assert plan_text(plan(request(ALONE, run_mode="every:2"), manager(every=EVERY))) == "solo r1-a0"


def test_a_group_of_the_user_stays_under_the_mode() -> None:
    found = plan(request(launched(4)[2], run_mode="every:2", group="mine"), manager(every=EVERY))
    assert plan_text(found) == "solo r1-a0-rank-2 in mine"


def test_the_page_lists_every_role_and_hook() -> None:
    assert re.findall(r"^\| `Role\.(\w+)`", MODE, re.MULTILINE) == [role.name for role in Role]
    hooks = re.findall(r"^@hookimpl\ndef (\w+)", block_with("def read_step", MODE), re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \| [A-Z]", MODE, re.MULTILINE) == hooks


# Your organisation's run ids


def test_an_explicit_id_gets_the_prefix_and_the_longest_names_of_flyte_leave_room_for_it() -> None:
    assert plan(request(id="baseline"), manager(acme=PREFIX)).run_id == "acme-baseline"
    longest = max(len(f"{names['run_name']}-{names['name']}") for names in _SAMPLES)
    assert f"ids of up to {RUN_ID.longest} characters, and Flyte's names may need {longest} of them" in NAMES


def test_a_hash_costs_the_link_and_is_told_in_the_log_but_for_an_explicit_id(caplog: pytest.LogCaptureFixture) -> None:
    project = "https://wandb.example.com/team/vision"
    place: Any = {"host": "https://wandb.example.com", "entity": "team", "project": "vision"}
    _notices._logged.clear()
    with use_plugin(HASH, name="acme-names"):
        assert Wandb(**place).get_link(**LINK) == project
        assert re.fullmatch(f"{project}/runs/[0-9a-f]{{8}}", Wandb(**place, id="top").get_link(**LINK))
    (warning,) = own_messages(caplog)
    (note,) = re.findall(r"^Note: (.*?)\n\n", NAMES, re.MULTILINE | re.DOTALL)
    assert warning == " ".join(note.split())


def test_the_groups_leave_alone_what_something_else_has_grouped() -> None:
    strategies = manager(acme=GROUPS)
    groups = [plan(request(launched(2)[0], run_mode=mode), strategies).group for mode in ("auto", "new")]
    assert groups == ["r1", "r1-a0"]
    assert plan(request(group="mine"), strategies).group == "mine"


@pytest.mark.usefixtures("offline")
def test_tags_and_cost_centre_are_in_the_run(run_local: LocalRun, tmp_path: Path) -> None:
    with use_plugin(COSTS):
        run_local(train, False)
    log = by_id(tmp_path)["top"]
    assert log.tags == ["mine", "acme"]
    assert own_config(log) == {"cost_centre": 4700, "model": {"layers": [1, 2]}}
    asked = replace(request(), flyte_project="vision")
    assert collect_contributions(manager(acme=COSTS), request=asked, plan=plan(asked)).config == {"cost_centre": 4711}


@pytest.mark.parametrize(("fail", "ending"), [(False, "fine"), (True, "no data")])
def test_the_observers_print_where_the_task_logs_and_how_it_ends(
    fail: bool, ending: str, online: WandbServer, run_local: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with use_plugin(module("acme_names", OBSERVERS)), suppress(flyte.errors.RuntimeUserError):
        run_local(train, fail)
    printed = capsys.readouterr().out.splitlines()
    lines = [line for line in printed if line.startswith("plugin_pages.train ")]
    assert lines == [f"plugin_pages.train logs to {online.runs[0].url}", f"plugin_pages.train ended: {ending}"]


@pytest.mark.parametrize(("run_mode", "told_on"), [("auto", [True, False]), ("shared", [True, True])])
def test_ranks_that_write_to_a_run_tell_the_observers(
    run_mode: str, told_on: list[bool], server: WandbServer, tmp_path: Path
) -> None:
    install(tmp_path, "acme-names", OBSERVERS)
    options: dict[str, Any] = {"context": wandb_config(run_mode=run_mode), "environ": imports(tmp_path, server.environ)}
    results = run_ranks(ranked, folder=tmp_path, nodes=(2,), inputs={"steps": 1}, **options)
    assert [("ranked logs to http" in one.log, "ranked ended: fine" in one.log) for one in results] == [
        (told, told) for told in told_on
    ]


def test_the_page_tells_how_long_an_observer_has() -> None:
    assert f"Each observer has {OBSERVER_SECONDS:g} seconds" in NAMES


def test_the_first_of_two_wrappers_has_the_last_word(tmp_path: Path) -> None:
    source = block_with('return f"acme-{run_id}"', NAMES)
    install(tmp_path, "acme-names", source, plugin="acme")
    install(tmp_path, "zeta-names", source.replace("acme-", "zeta-"), plugin="zeta")
    found = json.loads(run("plan", "--nodes", "1", "--json", folder=tmp_path, environ=PLACE).stdout)
    assert found["ranks"][0]["run"] == "acme-zeta-RUN-ACTION"


@pytest.mark.parametrize(("option", "run_id"), [("tryfirst", "moved"), ("trylast", "r1-a0")])
def test_a_plugin_can_ask_to_be_asked_before_or_behind_all_others(option: str, run_id: str) -> None:
    moved = module("moved", f"{PLUGIN}\n\n@hookimpl({option}=True)\ndef compute_run_id(): return 'moved'")
    plain = module("plain", f"{PLUGIN}\n\n@hookimpl\ndef compute_run_id(): return 'plain'")
    assert plan(request(), manager(moved=moved)).run_id == run_id
    assert plan(request(), manager(moved=moved, plain=plain)).run_id == ("moved" if option == "tryfirst" else "plain")


ROLLED_OUT = re.findall(r"^plugin '.*$", NAMES, re.MULTILINE)
IMAGES = [{}, {"acme-names": "2.0"}, {"acme-names": "1.0", "acme-extra": "1.0"}]


def imports(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """An environment that imports from `folder` as well."""
    return {**environ, "PYTHONPATH": import_path(folder)}


def submitted(folder: Path, **environ: str) -> dict[str, str]:
    """What a `wandb_config` carries where the plugins of `folder` are installed."""
    code = "import json, flyte_wandb; print(json.dumps(flyte_wandb.wandb_config(project='vision')))"
    result = run_python("-c", code, folder=folder, environ=process_environ(folder, environ))
    return dict(json.loads(result.stdout))


@pytest.mark.parametrize(("image", "message"), list(zip(IMAGES, ROLLED_OUT, strict=True)))
def test_a_container_with_other_plugins_than_the_submitter_says_so(
    image: dict[str, str], message: str, server: WandbServer, tmp_path: Path
) -> None:
    submitter, container = tmp_path / "submitter", tmp_path / "container"
    submitter.mkdir()
    container.mkdir()
    install(submitter, "acme-names", PLUGIN)
    for name, version in image.items():
        install(container, name, PLUGIN, version=version)
    context, environ = submitted(submitter), imports(container, server.environ)
    result = run_container(tasks.leaf, folder=tmp_path, inputs={"x": 1}, context=context, environ=environ)
    assert message in (result.log if image else str(result.error))
    assert ("printed by the task" in result.log) is bool(image)


def test_a_plugin_that_is_left_out_does_not_travel(tmp_path: Path) -> None:
    install(tmp_path, "acme-names", "raise SystemExit('imported')")
    install(tmp_path, "acme-extra", PLUGIN)
    assert submitted(tmp_path)["_wandb_plugins"] == '{"acme-extra": "acme-extra 1.0", "acme-names": "acme-names 1.0"}'
    left_out = submitted(tmp_path, FLYTE_WANDB_DISABLE_PLUGINS="acme-names,acme-extra")
    assert left_out == {"wandb_project": "vision"}
    result = run("plan", "--nodes", "1", folder=tmp_path, environ=PLACE | {"FLYTE_WANDB_DISABLE_PLUGINS": "acme-names"})
    assert result.returncode == 0


# Compatibility


class Records:
    """A plugin that remembers what it was asked, and in which thread."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.threads: set[str] = set()

    @hookimpl
    def compute_run_id(self, request: Request) -> None:
        self.requests.append(request)
        self.threads.add(threading.current_thread().name)

    @hookimpl
    def run_started(self) -> None:
        self.threads.add(threading.current_thread().name)


def test_the_contract_is_exported_by_both_packages_but_for_what_the_host_needs() -> None:
    of_the_host = set(flyte_wandb_hookspecs.__all__) - set(flyte_wandb.__all__)
    assert of_the_host == {"PROJECT_NAME", "frozen_copy", "hookspec", "plain_copy"}


def test_the_data_is_made_with_keywords_and_cannot_be_changed() -> None:
    public: list[Any] = [getattr(flyte_wandb_hookspecs, name) for name in flyte_wandb_hookspecs.__all__]
    data: list[Any] = [one for one in public if dataclasses.is_dataclass(one)]
    assert {one.__name__ for one in data} >= {"Group", "ParentRun", "Part", "Plan", "Request", "Settings", "Topology"}
    for one in data:
        assert one.__dataclass_params__.frozen, one
        assert all(field.kw_only for field in dataclasses.fields(one)), one


@pytest.mark.usefixtures("offline")
def test_what_hooks_are_given_is_frozen_at_any_depth_and_comes_from_several_threads(run_local: LocalRun) -> None:
    records = Records()
    with use_plugin(records):
        run_local(train, False)
    settings = records.requests[0].settings
    assert isinstance(settings.config, MappingProxyType)
    assert isinstance(settings.config["model"], MappingProxyType)
    assert (settings.config["model"]["layers"], settings.tags) == ((1, 2), ("mine",))
    assert records.threads > {"run_started of plugin 'Records'"}


def test_a_link_asks_more_than_once_and_with_other_names_than_those_of_flyte() -> None:
    records = Records()
    with use_plugin(records):
        Wandb(project="vision", entity="team", host="https://wandb.example.com").get_link(**LINK)
    assert len(records.requests) > 1
    assert len({request.run_name for request in records.requests}) > 1


def test_a_plugin_may_have_a_hook_that_only_later_versions_know() -> None:
    later = "@hookimpl(optionalhook=True)\ndef a_hook_of_later(request): raise AssertionError('asked')"
    strategies = manager(later=module("later", f"{PLUGIN}\n\n{later}"))
    assert plan(request(), strategies).run_id == "r1-a0"
