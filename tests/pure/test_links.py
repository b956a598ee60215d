"""Where a link leads, before and after Flyte has filled in its placeholders."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import flyte
import pytest

from flyte_wandb import (
    ParentRun,
    Plan,
    Request,
    Topology,
    Wandb,
    WandbSweep,
    hookimpl,
    plan,
    quote_segment,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb._action import NAMELESS
from flyte_wandb.plans._inherited import write_run
from flyte_wandb.plans._spec import Spec
from tests.messages import own_messages
from tests.pure.worlds import launched, manager, request

PROJECT = "https://wandb.ai/team/vision"
ABOVE = ParentRun(run_id="r1-top", project="theirs", entity="others", host="https://wandb.example.com")
NODE = Topology(world_size=4, local_world_size=4, launcher="torch-elastic")
NODES = Topology(world_size=4, local_world_size=2, num_workers=2, launcher="torch-elastic")

env = flyte.TaskEnvironment(name="linked")


def nothing() -> None: ...


class Counts:
    """A plugin that answers nothing, and counts how often it is asked."""

    asked = 0

    @hookimpl
    def locate_rank(self) -> None:
        self.asked += 1


ROWS = [
    (request(), "/runs/r1-a0"),
    (request(run_mode="new"), "/runs/r1-a0"),
    (request(id="resnet"), "/runs/resnet"),
    (request(run_mode="new", group="ours"), "/runs/r1-a0"),
    (request(parent=ABOVE), "/runs/r1-top"),
    (request(parent=ABOVE, run_mode="shared"), "/runs/r1-top"),
    (request(parent=ABOVE, run_mode="new"), "/runs/r1-a0"),
    (request(launched(4)[0]), "/runs/r1-a0"),
    (request(launched(4)[1]), ""),
    (request(launched(4)[0], run_mode="shared"), "/runs/r1-a0"),
    (request(launched(4)[2], run_mode="shared"), "/runs/r1-a0"),
    (request(launched(4)[2], run_mode="new"), "/groups/r1-a0/workspace"),
    (request(launched(2, 2)[2], rank_scope="worker"), "/runs/r1-a0-worker-1"),
    (request(launched(2, 2)[3], rank_scope="worker", run_mode="shared"), "/runs/r1-a0-worker-1"),
    (request(launched(2, 2)[3], run_mode="new"), "/groups/r1-a0/workspace"),
    (request(launched(2, 2)[3], rank_scope="worker", run_mode="new"), "/groups/r1-a0-worker-1/workspace"),
    (request(launched(2, 2)[3], run_mode="new", id="resnet"), "/groups/resnet/workspace"),
    (request(launched(2, 2)[3], run_mode="new", group="ours"), "/groups/ours/workspace"),
    (request(launched(1)[0], run_mode="new"), "/groups/r1-a0/workspace"),
    (request(id="exp 1+é"), "/runs/exp%201%2B%C3%A9"),
    (request(launched(1)[0], run_mode="new", group="a/b ü"), "/groups/a%2Fb%20%C3%BC/workspace"),
]


@pytest.mark.parametrize(("asked", "page"), ROWS)
def test_the_page_of_the_run_or_of_the_group_of_ranks(asked: Request, page: str) -> None:
    strategies = manager()
    step = strategies.decide(
        "build_link", lambda value: None, request=asked, plan=plan(asked, strategies), project_url=PROJECT
    )
    assert step.value == f"https://wandb.ai/team/vision{page}"


def test_another_plugin_may_lead_elsewhere() -> None:
    class Board:
        @hookimpl
        def build_link(self, request: Request, plan: Plan, project_url: str) -> str | None:
            return f"{project_url}/reports/{request.rank_scope}" if plan.group else None

    strategies = manager(board=Board())
    found = [
        strategies.decide(
            "build_link", lambda value: None, request=asked, plan=plan(asked, strategies), project_url=PROJECT
        )
        for asked in (request(group="g"), request())
    ]
    assert [(step.plugin, step.value) for step in found] == [
        ("board", "https://wandb.ai/team/vision/reports/global"),
        ("builtin", "https://wandb.ai/team/vision/runs/r1-a0"),
    ]


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("r1-a0_b.c~", "r1-a0_b.c~"),
        ("a b/c", "a%20b%2Fc"),
        ("ü%?#&=+", "%C3%BC%25%3F%23%26%3D%2B"),
        ("{{.runName}}-{{.actionName}}", "{{.runName}}-{{.actionName}}"),
        ("team a/{{.runName}} x", "team%20a%2F{{.runName}}%20x"),
        ("{{runName}}{{.a b}}{.c}", "%7B%7BrunName%7D%7D%7B%7B.a%20b%7D%7D%7B.c%7D"),
        ("", ""),
    ],
)
def test_a_name_is_one_segment_and_placeholders_stay_as_they_are(name: str, quoted: str) -> None:
    assert quote_segment(name) == quoted


def link(
    settings: Mapping[str, Any] = MappingProxyType({}),
    context: dict[str, str] | None = None,
    declared: Topology | None = None,
    **names: str,
) -> str:
    """Ask as Flyte does when it submits a root action: its names are placeholders."""
    asked = {"run_name": "{{.runName}}", "action_name": "{{.actionName}}", **names}
    return Wandb(spec=Spec(settings=settings, task_name="env.train", declared=declared)).get_link(
        project="{{.runProject}}",
        domain="{{.runDomain}}",
        context={} if context is None else context,
        parent_action_name="{{.parentActionName}}",
        pod_name="{{.podName}}",
        **asked,
    )


@pytest.fixture
def server(clean_client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's own configuration names the server. Which one it takes without is W&B's business."""
    monkeypatch.setenv("WANDB_BASE_URL", "https://w.example")


@pytest.fixture
def configured(server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """W&B's own configuration names server, entity and project."""
    monkeypatch.setenv("WANDB_ENTITY", "team")
    monkeypatch.setenv("WANDB_PROJECT", "vision")


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("settings", "declared", "page"),
    [
        ({}, None, "runs/{{.runName}}-{{.actionName}}"),
        ({"run_mode": "new"}, None, "runs/{{.runName}}-{{.actionName}}"),
        ({}, NODE, "runs/{{.runName}}-{{.actionName}}"),
        ({"run_mode": "shared"}, NODE, "runs/{{.runName}}-{{.actionName}}"),
        ({"run_mode": "new"}, NODE, "groups/{{.runName}}-{{.actionName}}/workspace"),
        ({"run_mode": "new"}, NODES, "groups/{{.runName}}-{{.actionName}}/workspace"),
        ({"rank_scope": "worker"}, NODES, "runs/{{.runName}}-{{.actionName}}-worker-0"),
        (
            {"rank_scope": "worker", "run_mode": "new"},
            NODES,
            "groups/{{.runName}}-{{.actionName}}-worker-0/workspace",
        ),
        ({"id": "my exp"}, None, "runs/my%20exp"),
        ({"id": "resnet", "rank_scope": "worker"}, NODES, "runs/resnet-worker-0"),
    ],
)
def test_flytes_placeholders_survive_in_the_link(
    settings: dict[str, str], declared: Topology | None, page: str
) -> None:
    assert link(settings, declared=declared) == f"https://w.example/team/vision/{page}"


@pytest.mark.usefixtures("configured")
def test_a_child_action_knows_the_name_of_its_run() -> None:
    assert link(run_name="r1") == "https://w.example/team/vision/runs/r1-{{.actionName}}"
    assert link({"rank_scope": "worker"}, run_name="r1", action_name="a7") == "https://w.example/team/vision/runs/r1-a7"


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("settings", "context", "page"),
    [
        ({"project": "own"}, {}, "https://w.example/team/own/runs/r1-a0"),
        ({"project": "my proj", "entity": "us & co"}, {}, "https://w.example/us%20%26%20co/my%20proj/runs/r1-a0"),
        ({}, {"wandb_project": "outer", "wandb_entity": "us"}, "https://w.example/us/outer/runs/r1-a0"),
        ({"project": "own"}, {"wandb_project": "outer"}, "https://w.example/team/own/runs/r1-a0"),
        ({"host": "https://wandb.example.com/"}, {}, "https://wandb.example.com/team/vision/runs/r1-a0"),
        ({"host": "https://api.wandb.ai"}, {}, "https://wandb.ai/team/vision/runs/r1-a0"),
        ({}, {"wandb_id": "exp"}, "https://w.example/team/vision/runs/exp"),
        (
            {"run_mode": "new"},
            {"wandb_id": "exp", **write_run(ABOVE)},
            "https://w.example/team/vision/runs/exp-a0",
        ),
        ({"project": "own"}, write_run(ABOVE), "https://wandb.example.com/others/theirs/runs/r1-top"),
        (
            {"run_mode": "new", "project": "own"},
            write_run(ABOVE),
            "https://w.example/team/own/runs/r1-a0",
        ),
        ({}, {"_wandb_run_id": "r1-top"}, "https://w.example/team/vision/runs/r1-top"),
    ],
)
def test_the_link_leads_to_where_the_run_will_live(
    settings: dict[str, str], context: dict[str, str], page: str
) -> None:
    assert link(settings, context, run_name="r1", action_name="a0") == page


@pytest.mark.usefixtures("configured")
def test_the_server_is_that_of_wandbs_own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://localhost:8080")
    assert link() == "http://localhost:8080/team/vision/runs/{{.runName}}-{{.actionName}}"


@pytest.mark.usefixtures("clean_client")
def test_without_a_configured_server_the_link_leads_to_where_wandb_itself_points() -> None:
    import wandb

    assert link({"project": "vision", "entity": "team"}).startswith(f"{wandb.setup().settings.app_url}/team/vision/")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({}, "https://w.example"),
        ({"project": "vision"}, "https://w.example"),
        ({"entity": "the team"}, "https://w.example/the%20team"),
        ({"entity": "team", "host": "https://api.wandb.ai"}, "https://wandb.ai/team"),
        ({"project": "vision", "host": "https://wandb.example.com"}, "https://wandb.example.com"),
    ],
)
def test_where_nobody_knows_entity_or_project_the_link_leads_to_the_best_page_above(
    settings: dict[str, str], page: str
) -> None:
    assert link(settings) == page


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("settings", "context", "words"),
    [
        ({}, {"wandb_tags": "oops"}, "wandb_tags='oops' in Flyte's context"),
        ({}, {"wandb_tags": '{"$tuple": 1}'}, "wandb_tags="),
        ({}, {"wandb_id": "a/b"}, "a run id must not contain '/'"),
        ({}, {"_wandb_run_id": "r1-top", "_wandb_run": "oops"}, "_wandb_run='oops' in Flyte's context is not a run"),
        ({}, {"wandb_run_mode": "unheard-of"}, "run_mode 'unheard-of'"),
        ({}, {"wandb_rank_scope": "unheard-of"}, "rank_scope 'unheard-of'"),
        ({"run_mode": "shared"}, {}, "no action above this one is tracked"),
        ({"id": "x" * 129}, {}, "at most 128 characters"),
    ],
)
def test_a_task_that_cannot_be_planned_has_the_projects_page_and_one_message_that_says_why(
    settings: dict[str, str], context: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"wandb_project": "of the context", **context}
    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        assert {link(settings, asked) for _ in range(2)} == {"https://w.example/team/of%20the%20context"}
    (message,) = own_messages(caplog)
    assert message.startswith("the W&B link of env.train does not lead to a run: ")
    assert words in message


@pytest.mark.usefixtures("clean_client")
def test_a_client_that_cannot_be_configured_costs_the_link_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "no address")
    assert link() == ""
    reason, outcome = own_messages(caplog)
    assert "WANDB_BASE_URL='no address'" in reason
    assert outcome == "no W&B link for env.train: its address cannot be found here"


@dataclass
class Ours(Wandb):
    """A link that a user makes of this package's."""

    team: str = "vision"
    name: str = "W&B of our team"


def test_the_fields_of_a_link_can_be_read_replaced_and_inherited() -> None:
    made = Wandb("https://w.example", "vision", "team", "new", "worker", "exp", "ours")
    assert (made.host, made.project, made.entity, made.id, made.name) == (
        "https://w.example",
        "vision",
        "team",
        "exp",
        "ours",
    )
    assert (made.run_mode, made.rank_scope) == ("new", "worker")
    other = replace(made, project="audio", run_mode="auto")
    assert other.get_link("r1", "p", "d", None, "", "a0", "") == "https://w.example/team/audio/runs/exp"
    ours = replace(Ours(project="vision", entity="team", host="https://w.example"), entity="them")
    assert (ours.team, ours.name, ours.entity) == ("vision", "W&B of our team", "them")
    assert ours.get_link("r1", "p", "d", {}, "", "a0", "") == "https://w.example/them/vision/runs/r1-a0"
    sweep = replace(WandbSweep("https://w.example", "vision", "team", "s1", "the sweep"), id="s2")
    assert (sweep.project, sweep.name) == ("vision", "the sweep")
    assert sweep.get_link("r1", "p", "d", None, "", "a0", "") == "https://w.example/team/vision/sweeps/s2"


def test_what_a_link_does_not_set_reads_as_its_default_and_is_left_to_the_context() -> None:
    made = replace(Wandb(project="vision", entity="team", host="https://w.example"), name="other")
    assert (made.run_mode, made.rank_scope, made.name) == ("auto", "global", "other")
    context = wandb_config(run_mode="new", id="exp")
    below = {"_wandb_run_id": "r1-top", **context}
    assert made.get_link("r1", "p", "d", below, "", "a1", "") == "https://w.example/team/vision/runs/exp-a1"


def test_the_links_that_the_decorator_adds_show_its_settings() -> None:
    task: Any = wandb_init(project="vision", entity="team", rank_scope="worker")(env.task(nothing))
    (made,) = task.links
    assert (made.project, made.entity, made.rank_scope, made.run_mode, made.host) == (
        "vision",
        "team",
        "worker",
        "auto",
        None,
    )
    assert made == replace(made)


def test_the_links_of_a_task_share_the_plans_of_its_world() -> None:
    spec = Spec(
        settings={"project": "p", "entity": "e", "config": {"x": 1}},
        declared=Topology.even(32, 8, launcher="torch-elastic"),
    )
    with use_plugin(plugin := Counts()):
        asked = []
        for rank in (0, 8, 16):
            before = plugin.asked
            Wandb(spec=spec, rank=rank).build(NAMELESS)
            asked.append(plugin.asked - before)
    assert asked[0] >= 256
    assert asked[1] == asked[2] < 8
    with use_plugin(other := Counts()):
        Wandb(spec=spec).build(NAMELESS)
    assert other.asked >= 256, "the plans of before other plugins came"
