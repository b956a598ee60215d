"""The reference of all hooks: it is what the contract's docstrings say, and every example in it runs."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import flyte
import pytest

import flyte_wandb
import flyte_wandb_hookspecs as hookspecs
from docs.make_hooks import DATA, PAGE, Hook, hooks, page
from flyte_wandb import (
    HookError,
    Part,
    Plan,
    RefusedError,
    Role,
    Strategy,
    StrategyManager,
    Topology,
    plan,
    use_plugin,
    wandb_init,
)
from flyte_wandb.plans._plan import declare_topology, detect_topology
from flyte_wandb.runs._run_hooks import Contribution, collect_contributions
from flyte_wandb.testing import WandbServer
from tests.checkout import ROOT
from tests.conftest import LocalRun
from tests.pure.worlds import ALONE, launched, manager, plan_text, plans, request
from tests.slips import SLIPS

HOOKS = {hook.name: hook for hook in hooks()}
PROJECT = "https://wandb.example.com/team/vision"
NAMELESS = "{{.runName}}-{{.actionName}}"

env = flyte.TaskEnvironment(name="hooks_page")


@wandb_init(id="top")
@env.task
def succeeds() -> None: ...


@wandb_init(id="top")
@env.task
def fails() -> None:
    raise ValueError("the loss is not a number")


def module(source: str) -> types.ModuleType:
    """A plugin of this source, which may use all that flyte_wandb offers."""
    made = types.ModuleType("example")
    vars(made).update({name: getattr(flyte_wandb, name) for name in flyte_wandb.__all__})
    exec(source, vars(made))
    return made


def example(name: str) -> types.ModuleType:
    """The example of a hook; a strategy is declared by who answers for it, so that one has the hook for it as well."""
    also = [HOOKS["locate_rank"].sections["Example"]] if name == "list_strategies" else []
    return module("\n\n".join([HOOKS[name].sections["Example"], *also]))


def asked(ask: StrategyManager, hook: str, **arguments: Any) -> Any:
    """The answer of a hook that stops at the first one, and that it is not the built-ins'."""
    step = ask.decide(hook, lambda value: None, **arguments)
    assert step.plugin == "example"
    return step.value


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text() == page(), "the docstrings have changed: run `python docs/make_hooks.py`"


def test_the_script_writes_the_page_beside_itself(tmp_path: Path) -> None:
    script = shutil.copy(ROOT / "docs" / "make_hooks.py", tmp_path)
    subprocess.run([sys.executable, script], cwd=tmp_path, check=True)
    assert (tmp_path / "hooks.md").read_text() == page()


def test_the_page_has_every_hook_with_its_arguments_and_how_answers_count() -> None:
    specified = {name for name in vars(flyte_wandb.HookSpecs) if not name.startswith("_")}
    assert set(re.findall(r"^## (\w+)$", page(), re.MULTILINE)) == set(HOOKS) == specified
    for name in HOOKS:
        spec = getattr(StrategyManager()._plugins.hook, name).spec
        assert HOOKS[name].first_answer_counts is spec.opts["firstresult"]
        assert all(f"{argument}: " in HOOKS[name].signature for argument in spec.argnames)


@pytest.mark.parametrize("kind", DATA, ids=lambda kind: kind.__name__)
def test_the_page_has_every_field_and_property_of_what_hooks_get_with_its_type_and_meaning(kind: Any) -> None:
    section = page().partition(f"\n### {kind.__name__}\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| (\S.*\.) \|$", section, re.MULTILINE)
    properties = [name for name, value in vars(kind).items() if isinstance(value, property)]
    members = list(kind.__members__) if kind is Role else [field.name for field in dataclasses.fields(kind)]
    assert [name for name, _, _ in rows] == [*members, *properties]


def test_the_page_has_all_data_of_the_contract() -> None:
    public = [getattr(flyte_wandb, name) for name in flyte_wandb.__all__ if hasattr(hookspecs, name)]
    assert {kind for kind in public if dataclasses.is_dataclass(kind)} == {*DATA} - {Role}


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_every_hook_has_an_example_that_answers_it_and_no_other(hook: Hook) -> None:
    assert "Example" in hook.sections, f"the docstring of {hook.name} has no `Example::` block"
    also = ["locate_rank"] if hook.name == "list_strategies" else []
    assert manager(example=example(hook.name)).hooks_of("example") == [hook.name, *also]


LAUNCHED = {"MY_LAUNCHER": "1", "MY_RANK": "5", "MY_WORLD": "8", "MY_PER_NODE": "4"}
SIXTH_OF_TWO_NODES = Topology(
    rank=5, world_size=8, local_rank=1, local_world_size=4, worker_index=1, num_workers=2, launcher="my-launcher"
)
FIRST_RANK: Any = {"rank": 0, "local_rank": 0, "worker_index": 0}


@dataclass
class MyLauncher:
    nodes: int
    per_node: int


RUN = Plan(part=Part(), role=Role.SOLO, run_id=NAMELESS, group=None, steps=())
NIGHTLY = replace(request(), task_name="vision.nightly")
NIGHTLY_OF_A_USER = replace(request(group="mine"), task_name="vision.nightly")
HALVES = Strategy(kind="rank_scope", name="half", summary="the first and the second half of the ranks")


def halves(ask: StrategyManager, ranks: int) -> list[tuple[str | None, int, int]]:
    parts = [one.part for one in plans(launched(ranks), ask, rank_scope="half")]
    return [(part.label, part.index, part.size) for part in parts]


def solo(ask: StrategyManager) -> list[str]:
    return [plan_text(one) for one in plans([*launched(2), ALONE], ask, run_mode="solo")]


def link(ask: StrategyManager) -> str:
    return str(asked(ask, "build_link", request=request(), plan=RUN, project_url=PROJECT))


def sweep_link(ask: StrategyManager) -> str:
    return str(asked(ask, "build_sweep_link", request=request(), sweep_id="s/1", project_url=PROJECT))


ANSWERS: dict[str, list[tuple[Callable[[StrategyManager], Any], Any]]] = {
    "detect_topology": [
        (partial(detect_topology, LAUNCHED), SIXTH_OF_TWO_NODES),
        (partial(detect_topology, {"RANK": "5"}), ALONE),
    ],
    "declare_topology": [
        (partial(declare_topology, MyLauncher(nodes=2, per_node=4), None), replace(SIXTH_OF_TWO_NODES, **FIRST_RANK)),
        (partial(declare_topology, None, env), None),
    ],
    "locate_rank": [
        (lambda ask: halves(ask, 4), [("half-0", 0, 2), ("half-0", 1, 2), ("half-1", 0, 2), ("half-1", 1, 2)]),
        (lambda ask: halves(ask, 3), [("half-0", 0, 2), ("half-0", 1, 2), ("half-1", 0, 1)]),
        (lambda ask: halves(ask, 1), [("half-0", 0, 1)]),
    ],
    "choose_initializer": [(solo, ["solo r1-a0", "skip", "solo r1-a0"])],
    "compute_run_id": [(lambda ask: plan(request(), ask).run_id, "acme-r1-a0")],
    "compute_group": [
        (lambda ask: plan(NIGHTLY, ask).group, "nightly"),
        (lambda ask: plan(NIGHTLY_OF_A_USER, ask).group, "mine"),
        (lambda ask: plan(request(), ask).group, None),
    ],
    "build_link": [(link, f"{PROJECT}/runs/{NAMELESS}/logs")],
    "build_sweep_link": [(sweep_link, f"{PROJECT}/sweeps/s%2F1")],
    "list_strategies": [(lambda ask: ask.strategies_of("example"), [HALVES])],
    "contribute_run_settings": [
        (
            lambda ask: collect_contributions(ask, request=request(), plan=plan(request(), ask)),
            Contribution(tags=("acme",), config={"cost_centre": 4711}),
        )
    ],
}


@pytest.mark.parametrize(
    ("hook", "ask", "answer"),
    [(hook, ask, answer) for hook, asking in ANSWERS.items() for ask, answer in asking],
)
def test_the_example_of_a_hook_gives_a_sensible_answer(
    hook: str, ask: Callable[[StrategyManager], Any], answer: Any
) -> None:
    assert ask(manager(example=example(hook))) == answer


def test_the_example_of_a_run_mode_refuses_what_it_cannot_serve() -> None:
    strategies = manager(example=example("choose_initializer"))
    with pytest.raises(RefusedError, match=r"^run_mode 'solo' opens runs that nobody joins; remove joinable=True \("):
        plan(request(run_mode="solo", joinable=True), strategies)


def test_the_example_of_the_start_is_told_of_a_real_run(
    online: WandbServer, run_local: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with use_plugin(example("run_started")):
        run_local(succeeds)
    (run,) = online.runs
    assert f"top is at {run.url}" in capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("task", "line"), [(succeeds, "top finished"), (fails, "top failed")])
def test_the_example_of_the_end_is_told_of_the_outcome(
    task: Any, line: str, run_local: LocalRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with use_plugin(example("run_finished")), suppress(flyte.errors.RuntimeUserError):
        run_local(task)
    assert line in capsys.readouterr().out.splitlines()


def test_the_example_of_every_hook_is_asked_here() -> None:
    assert {*ANSWERS, "run_started", "run_finished"} == set(HOOKS)


def test_the_page_lists_what_is_refused() -> None:
    _, _, behind = page().partition("**Refused when a plugin is registered**")
    listed = re.findall(r"^- (.*)[;.]$", behind.partition("\n## ")[0], re.MULTILINE)
    assert listed == list(REFUSED)
    assert {slip for slips in REFUSED.values() for slip in slips} == set(SLIPS)


REFUSED = {
    "a plugin without a hook, and a function that has a hook's name and no `@hookimpl`": [
        "no hook",
        "nothing",
        "a hook without its marker",
        "one of two hooks without its marker",
        "a marker below another decorator",
    ],
    "a class or a function, where a module or an instance belongs": [
        "a class for an instance",
        "a module for an instance",
        "a function for its module",
        "a marked class",
    ],
    "a hook, or an argument, that the contract does not have": [
        "a hook that does not exist",
        "a hook that is like no other",
        "a misspelt specname",
        "a misspelt argument",
        "an argument of another hook",
        "an argument of a hook without any",
    ],
    "an argument with a default, a keyword-only one, `*args`, `**kwargs`, and a method without `self`": [
        "an argument with a default",
        "a keyword-only argument",
        "any arguments",
        "any keyword arguments",
        "a method without self",
        "a method without any argument",
    ],
    "a coroutine function": ["a coroutine function"],
    "a `yield` without `wrapper=True`, a wrapper without a `yield`, and a wrapper of a hook that all answer": [
        "a forgotten wrapper=True",
        "a wrapper without a yield",
        "a wrapper of a hook that all answer",
        "strategies that are yielded",
    ],
    "a run mode or rank scope of an unknown kind, of a name that nobody can type, or of a taken name": [
        "an unknown kind",
        "a name with a colon",
        "a name of two words",
        "no name",
        "an example of another strategy",
        "a strategy that is declared twice",
    ],
    "strategies that are not a list, and a strategy that no hook of the plugin answers for": [
        "one strategy for a list",
        "no answer",
        "names for strategies",
        "a list that cannot be made",
        "a run mode that no hook knows",
        "a rank scope that no hook knows",
    ],
}
"""What the page says is refused, and the slips that this means; `tests/pure/test_manager.py` registers each."""


def test_a_wrapper_that_returns_nothing_is_the_error_of_the_page() -> None:
    spoils = module("@hookimpl(wrapper=True)\ndef compute_run_id():\n    yield")
    with pytest.raises(HookError) as caught:
        plan(request(), manager(spoils=spoils))
    (words,) = re.findall(r'the\s+error\s+is\s"([^"]+)"', page())
    assert f": {' '.join(words.split())}:" in str(caught.value)


def test_every_hook_is_named_in_a_test_of_its_own() -> None:
    suites = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "examples").rglob("test_*.py")]
    words = set().union(*(re.findall(r"\w+", suite.read_text()) for suite in suites if suite != Path(__file__)))
    assert set(HOOKS) - words == set()
