"""Links are built with Flyte's placeholders in the place of names: what comes out must be what the run is called."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Generator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyte_wandb import Group, Part, Plan, Request, Topology, hookimpl, plan, quote_segment
from flyte_wandb._action import Action
from flyte_wandb._address import run_address
from flyte_wandb._requests import request_of_link
from flyte_wandb._spec import Spec
from tests.pure.worlds import manager, said

ASKED = Action(
    run_name="{{.runName}}",
    name="{{.actionName}}",
    project="{{.executionProject}}",
    domain="{{.executionDomain}}",
    local=False,
)
NAMES = {"runName": "rx7k2", "actionName": "a0", "executionProject": "flytesnacks", "executionDomain": "development"}
KNOWN = Action(run_name="rx7k2", name="a0", project="flytesnacks", domain="development", local=False)
SPEC = Spec(settings={"project": "vision", "entity": "team", "host": "https://w.example"}, task_name="env.train")
PROJECT = "https://w.example/team/vision"

pytestmark = pytest.mark.usefixtures("clean_client")


class Rewrites:
    """A naming plugin that does something to the id that the others computed."""

    def __init__(self, rewrite: Any) -> None:
        self.rewrite = rewrite

    @hookimpl(wrapper=True)
    def compute_run_id(self, request: Request) -> Generator[None, str, str]:
        run_id = yield
        return str(self.rewrite(request, run_id))


def filled(url: str) -> str:
    for name, value in NAMES.items():
        url = url.replace("{{." + name + "}}", value)
    return url


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda request, run_id: run_id,
        lambda request, run_id: f"acme-{request.flyte_project}-{request.flyte_domain}-{run_id}",
        lambda request, run_id: f"{request.action_name}.of.{request.run_name}",
        lambda request, run_id: f"{run_id} {request.task_name} ü",
        lambda request, run_id: f"{run_id}-{run_id}-{run_id}",
    ],
)
def test_a_name_that_is_composed_is_that_of_the_run(rewrite: Any, caplog: pytest.LogCaptureFixture) -> None:
    strategies = manager(acme=Rewrites(rewrite))
    run_id = plan(request_of_link(SPEC, KNOWN), strategies).run_id
    assert run_id is not None
    assert filled(run_address(SPEC, ASKED, strategies)) == f"{PROJECT}/runs/{quote_segment(run_id)}"
    assert said(caplog) == []


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda request, run_id: run_id.upper(),
        lambda request, run_id: run_id.lower(),
        lambda request, run_id: run_id[:20],
        lambda request, run_id: run_id if len(run_id) < 40 else run_id[:40],
        lambda request, run_id: hashlib.sha256(run_id.encode()).hexdigest()[:16],
        lambda request, run_id: run_id.replace("{", "").replace("}", ""),
        lambda request, run_id: f"{run_id}-{len(run_id)}",
        lambda request, run_id: run_id.split("-")[-1][1:],
    ],
)
def test_a_name_that_is_changed_leads_to_the_projects_page_with_one_warning(
    rewrite: Any, caplog: pytest.LogCaptureFixture
) -> None:
    strategies = manager(acme=Rewrites(rewrite))
    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        assert [run_address(SPEC, ASKED, strategies) for _ in range(2)] == [PROJECT, PROJECT]
    (message,) = said(caplog)
    assert message.startswith("compute_run_id of plugin 'builtin', wrapped by 'acme', changes the names that Flyte")


@pytest.mark.parametrize("rewrite", [lambda request, run_id: run_id[:20], lambda request, run_id: run_id.upper()])
def test_names_that_are_known_need_no_placeholder(rewrite: Any, caplog: pytest.LogCaptureFixture) -> None:
    strategies = manager(acme=Rewrites(rewrite))
    run_id = plan(request_of_link(SPEC, KNOWN), strategies).run_id
    assert run_address(SPEC, KNOWN, strategies) == f"{PROJECT}/runs/{run_id}"
    assert said(caplog) == []


class HashesGroups:
    @hookimpl
    def compute_group(self, request: Request, part: Part) -> Group:
        return Group(name=hashlib.sha256(request.base.encode()).hexdigest()[:8])


class EncodesLinks:
    @hookimpl
    def build_link(self, request: Request, plan: Plan, project_url: str) -> str:
        return f"{project_url}/runs/{quote(plan.run_id or '')}"


@pytest.mark.parametrize(
    ("plugin", "hook"), [(HashesGroups(), "compute_group"), (EncodesLinks(), "build_link")], ids=["group", "link"]
)
def test_groups_and_links_are_tried_too(plugin: object, hook: str, caplog: pytest.LogCaptureFixture) -> None:
    world = Topology(world_size=4, local_world_size=2, num_workers=2, launcher="torch-elastic")
    spec = Spec(settings={**SPEC.settings, "run_mode": "new"}, declared=world)
    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        assert run_address(spec, ASKED, manager(acme=plugin)) == PROJECT
    (message,) = said(caplog)
    assert message.startswith(f"{hook} of plugin 'acme' changes the names that Flyte fills into links later")


def test_without_a_project_the_servers_page_is_the_best(caplog: pytest.LogCaptureFixture) -> None:
    spec = Spec(settings={"host": "https://w.example"})
    strategies = manager(acme=Rewrites(lambda request, run_id: run_id.upper()))
    with caplog.at_level(logging.WARNING, "flyte_wandb"):
        assert run_address(spec, ASKED, strategies) == "https://w.example"


PIECES = st.sampled_from(["{base}", "{run}", "{action}", "{project}", "-", "x", ".", "acme-"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(PIECES, min_size=1, max_size=4))
def test_whatever_is_composed_of_names_and_text_links_to_the_run(pieces: list[str]) -> None:
    def compose(request: Request, run_id: str) -> str:
        names = {"base": request.base, "run": request.run_name, "action": request.action_name}
        return "".join(pieces).format(**names, project=request.flyte_project)

    strategies = manager(acme=Rewrites(compose))
    run_id = plan(request_of_link(SPEC, KNOWN), strategies).run_id
    assert run_id is not None
    assert filled(run_address(SPEC, ASKED, strategies)) == f"{PROJECT}/runs/{quote_segment(run_id)}"
