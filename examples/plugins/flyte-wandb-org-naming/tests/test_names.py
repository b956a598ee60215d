"""The organisation's names around those of the others, and what every run has beside them."""

from __future__ import annotations

import doctest
from typing import Any, ClassVar

import flyte
import pytest

import flyte_wandb_org_naming
from flyte_wandb import (
    Group,
    HookError,
    ParentRun,
    Plan,
    Request,
    Role,
    Settings,
    StrategyManager,
    Topology,
    hookimpl,
    plan,
    preview,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb.testing import PluginConformance, assert_plan, world_of
from flyte_wandb_org_naming import _additions, _template, _webhook
from flyte_wandb_org_naming._template import checked

CLOSED = ParentRun(run_id="acme-vision-r1-a0", joinable=False, project="vision")
ALONE = Topology()


class TestOrgNaming(PluginConformance):
    plugin: ClassVar[Any] = flyte_wandb_org_naming


@pytest.fixture
def strategies(wandb_strategies: StrategyManager) -> StrategyManager:
    """The built-ins and this plugin."""
    wandb_strategies.register(flyte_wandb_org_naming, name="org-naming")
    return wandb_strategies


def planned(
    strategies: StrategyManager, topology: Topology = ALONE, *, parent: ParentRun | None = None, **settings: Any
) -> Plan:
    """The plan of action a1 in run r1."""
    asked = Settings(**{"project": "vision", **settings})
    return plan(Request(run_name="r1", action_name="a1", settings=asked, topology=topology, parent=parent), strategies)


@pytest.mark.parametrize(
    ("settings", "run_id"),
    [
        ({}, "acme-vision-r1-a1"),
        ({"project": None}, "acme-no-project-r1-a1"),
        ({"id": "resnet"}, "acme-vision-resnet"),
    ],
)
def test_a_run_is_named_by_the_template(settings: dict[str, Any], run_id: str, strategies: StrategyManager) -> None:
    assert_plan(planned(strategies, **settings), run_id=run_id, group=None, decided_by={"compute_run_id": "builtin"})


@pytest.mark.parametrize(
    ("run_mode", "run_id", "group"),
    [
        ("auto", "acme-vision-r1-a1-worker-1", None),
        ("shared", "acme-vision-r1-a1-worker-1", None),
        ("new", "acme-vision-r1-a1-worker-1-rank-0", "acme-vision-r1-a1-worker-1"),
    ],
)
def test_parts_and_ranks_stay_apart(run_mode: str, run_id: str, group: str | None, strategies: StrategyManager) -> None:
    rank = world_of(2, 2)[2]
    assert_plan(planned(strategies, rank, run_mode=run_mode, rank_scope="worker"), run_id=run_id, group=group)


def test_a_group_that_the_user_asks_for_follows_the_template(strategies: StrategyManager) -> None:
    assert_plan(planned(strategies, group="sweep"), run_id="acme-vision-r1-a1", group="acme-vision-sweep")


@pytest.mark.parametrize(
    ("of_parent", "group"), [(None, "acme-vision-r1-a0"), ("acme-vision-sweep", "acme-vision-sweep")]
)
def test_the_group_of_a_closed_parent_is_named_once(
    of_parent: str | None, group: str, strategies: StrategyManager
) -> None:
    parent = ParentRun(run_id=CLOSED.run_id, joinable=False, group=of_parent)
    assert_plan(planned(strategies, parent=parent), role="primary", run_id="acme-vision-r1-a1", group=group)


class Badge:
    """Another plugin's ids."""

    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return f"badge-{request.topology.rank}"


@pytest.mark.parametrize("badge_first", [True, False])
def test_another_plugins_ids_are_wrapped_whoever_comes_first(
    badge_first: bool, wandb_strategies: StrategyManager
) -> None:
    plugins = {"badge": Badge(), "org-naming": flyte_wandb_org_naming}
    for name in sorted(plugins, reverse=badge_first):
        wandb_strategies.register(plugins[name], name=name)
    planned_here = planned(wandb_strategies, world_of(2)[1], run_mode="new")
    assert_plan(planned_here, run_id="acme-vision-badge-1", decided_by={"compute_run_id": "badge"})


class Wrong:
    """Another plugin whose answers are no names."""

    def __init__(self, run_id: object = None, group: object = None) -> None:
        self.answers = (run_id, group)

    @hookimpl
    def compute_run_id(self) -> Any:
        return self.answers[0]

    @hookimpl
    def compute_group(self) -> Any:
        return self.answers[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            Wrong(run_id=7),
            "compute_run_id of plugin 'wrong', wrapped by 'org-naming', answered 7: a run id must be a string",
        ),
        (
            Wrong(group="g"),
            "compute_group of plugin 'wrong', wrapped by 'org-naming', answered 'g': a group is a Group",
        ),
    ],
)
def test_a_wrong_answer_of_another_plugin_stays_its_own(wrong: Wrong, words: str, strategies: StrategyManager) -> None:
    strategies.register(wrong, name="wrong")
    with pytest.raises(HookError) as caught:
        planned(strategies)
    assert str(caught.value).startswith(words)


def test_no_group_stays_no_group_and_no_answer_stays_none() -> None:
    """Without the built-ins nobody answers."""
    alone = StrategyManager()
    alone.register(flyte_wandb_org_naming, name="org-naming")
    about: dict[str, Any] = {"request": Request(run_name="r1", action_name="a0"), "part": None, "role": Role.SOLO}
    assert alone.ask("compute_run_id", lambda value: None, **about) is None
    assert alone.ask("compute_group", lambda value: None, **about) is None
    alone.register(Wrong(group=Group(name=None)), name="no group")
    step = alone.ask("compute_group", lambda value: None, **about)
    assert step
    assert step.value == Group(name=None)


def test_the_link_leads_to_the_name_of_the_template() -> None:
    with use_plugin(flyte_wandb_org_naming):

        @wandb_init
        @flyte.TaskEnvironment(name="plain").task
        def train() -> None: ...

        context = wandb_config(project="vision", entity="team", host="https://wandb.example.com")
        (link,) = preview(train, context=context).links
    assert link.url == "https://wandb.example.com/team/vision/runs/acme-vision-RUN-ACTION"


@pytest.mark.parametrize("template", ["{base}", "{team}_{project}_{base}", "all of us {base}"])
def test_a_template_can_be_anything_with_base(template: str) -> None:
    assert checked(template) == template


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{team}-{project}", "TEMPLATE '{team}-{project}' lacks {base}, so all runs would have one id; add {base}"),
        ("{user}-{base}", "TEMPLATE '{user}-{base}' has the unknown field 'user'; it can have team, project, base"),
        ("{}-{base}", "TEMPLATE '{}-{base}' has the unknown field ''; it can have team, project, base"),
    ],
)
def test_a_template_that_cannot_name_runs_is_refused_on_import(template: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        checked(template)
    assert str(caught.value) == words


@pytest.mark.parametrize("module", [_additions, _template, _webhook], ids=lambda module: module.__name__)
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
