"""Links are built with Flyte's placeholders in the place of names: what comes out must be what the run is called."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_wandb import Group, Part, Plan, Request, Topology, Wandb, hookimpl, plan, quote_segment
from flyte_wandb._action import Action
from flyte_wandb.links._build import build_link_to_run
from flyte_wandb.plans._request import build_link_request
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plugins._loading import get_manager
from tests.messages import own_messages
from tests.pure.worlds import manager

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
def test_a_name_that_is_composed_is_that_of_the_run(rewrite: Any) -> None:
    strategies = manager(acme=Rewrites(rewrite))
    run_id = plan(build_link_request(SPEC, KNOWN), strategies).run_id
    assert run_id is not None
    made = build_link_to_run(SPEC, ASKED, strategies)
    assert (filled(made.url), made.fault) == (f"{PROJECT}/runs/{quote_segment(run_id)}", None)


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
        lambda request, run_id: run_id.ljust(28, "x"),
    ],
)
def test_a_name_that_is_changed_leads_to_the_projects_page_with_one_warning(
    rewrite: Any, caplog: pytest.LogCaptureFixture
) -> None:
    get_manager().register(Rewrites(rewrite), name="acme")
    asked = {"run_name": ASKED.run_name, "action_name": ASKED.name, "project": "{{.executionProject}}", "domain": "d"}
    try:
        with caplog.at_level(logging.WARNING, "flyte_wandb"):
            found = [
                Wandb(spec=SPEC).get_link(**asked, context={}, parent_action_name="", pod_name="") for _ in range(2)
            ]
    finally:
        get_manager().unregister("acme")
    assert found == [PROJECT, PROJECT]
    (message,) = own_messages(caplog)
    assert message.startswith("compute_run_id of plugin 'builtin', wrapped by 'acme', changes the names that Flyte")


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvwxyz0123456789-")
def test_a_plugin_that_changes_any_letter_is_found(letter: str) -> None:
    strategies = manager(acme=Rewrites(lambda request, run_id: run_id.replace(letter, "_")))
    made = build_link_to_run(SPEC, ASKED, strategies)
    assert (made.url, made.fault is None) == (PROJECT, False)


@pytest.mark.parametrize("rewrite", [lambda request, run_id: run_id[:20], lambda request, run_id: run_id.upper()])
def test_names_that_are_known_need_no_placeholder(rewrite: Any) -> None:
    strategies = manager(acme=Rewrites(rewrite))
    run_id = plan(build_link_request(SPEC, KNOWN), strategies).run_id
    made = build_link_to_run(SPEC, KNOWN, strategies)
    assert (made.url, made.fault) == (f"{PROJECT}/runs/{run_id}", None)


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
def test_groups_and_links_are_tried_too(plugin: object, hook: str) -> None:
    world = Topology(world_size=4, local_world_size=2, num_workers=2, launcher="torch-elastic")
    spec = Spec(settings={**SPEC.settings, "run_mode": "new"}, declared=world)
    made = build_link_to_run(spec, ASKED, manager(acme=plugin))
    assert made.url == PROJECT
    assert str(made.fault).startswith(f"{hook} of plugin 'acme' changes the names that Flyte fills into links later")


def test_without_a_project_the_servers_page_is_the_best() -> None:
    spec = Spec(settings={"host": "https://w.example"})
    strategies = manager(acme=Rewrites(lambda request, run_id: run_id.upper()))
    assert build_link_to_run(spec, ASKED, strategies).url == "https://w.example"


class Shaped:
    """Rank scopes whose parts are no neighbours (`strided`) or of different sizes (`ragged`)."""

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        rank, size = request.topology.rank, request.topology.world_size
        if request.rank_scope == "strided":
            step = next(n for n in (3, 2, 1) if size % n == 0)
            return Part(label=f"stride-{rank % step}", index=rank // step, size=size // step)
        if request.rank_scope == "ragged":
            first = (size + 2) // 3
            return (
                Part(label="head", index=rank, size=first) if rank < first else self._tail(rank - first, size - first)
            )
        return None

    def _tail(self, index: int, size: int) -> Part:
        return Part(label="tail", index=index, size=size)


class Composes:
    """An organisation's names: some text around names of the request and what the others answered."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces

    def __call__(self, request: Request, text: str) -> str:
        names = {"run": request.run_name, "action": request.action_name, "project": request.flyte_project}
        return "".join(self.pieces).format(text=text, base=request.base, **names)

    @hookimpl(wrapper=True)
    def compute_run_id(self, request: Request) -> Generator[None, str, str]:
        return self(request, (yield))

    @hookimpl(wrapper=True)
    def compute_group(self, request: Request) -> Generator[None, Group, Group]:
        group = yield
        return Group(name=self(request, group.name)) if group.name else group


AROUND = st.lists(st.sampled_from(["{base}", "{run}", "{action}", "{project}", "-", "x", ".", "Acme é"]), max_size=2)
WORLDS = st.tuples(st.integers(1, 4), st.integers(1, 4))
MODES = st.sampled_from(["auto", "new", "shared"])
SCOPES = st.sampled_from(["global", "worker", "strided", "ragged"])
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = st.text(LETTERS + "-", max_size=28)
FLYTE_NAMES = st.builds("{}{}{}".format, st.sampled_from(LETTERS), WORDS, st.sampled_from(LETTERS))


def of_world(world: tuple[int, int], run_mode: str, rank_scope: str) -> Spec:
    given = {**SPEC.settings, "run_mode": run_mode, "rank_scope": rank_scope}
    return Spec(settings=given, declared=Topology.even(*world, launcher="torch-elastic"))


def page(planned: Plan, run_mode: str) -> str:
    """The page of the run, or of the group where every rank has a run; what it is called, the plan of a writer says."""
    if run_mode == "new":
        return f"{PROJECT}/groups/{quote_segment(planned.group or '')}/workspace"
    assert planned.run_id is not None
    return f"{PROJECT}/runs/{quote_segment(planned.run_id)}"


@settings(max_examples=80, deadline=None)
@given(AROUND, AROUND, WORLDS, MODES, SCOPES, st.data())
def test_whatever_is_composed_of_names_and_text_links_to_the_run_of_any_part(
    before: list[str], behind: list[str], world: tuple[int, int], run_mode: str, rank_scope: str, data: st.DataObject
) -> None:
    strategies = manager(shaped=Shaped(), acme=Composes([*before, "x{text}x", *behind]))
    spec, rank = of_world(world, run_mode, rank_scope), data.draw(st.integers(0, world[0] * world[1] - 1))
    plans = [plan(build_link_request(spec, KNOWN, one), strategies) for one in range(world[0] * world[1])]
    writer = next(one for one in plans if one.part.label == plans[rank].part.label and one.role.opens)
    made = build_link_to_run(spec, ASKED, strategies, rank=rank)
    assert (filled(made.url), made.fault) == (page(writer, run_mode), None)


CHANGES = st.one_of(
    st.integers(1, 130).map(lambda size: lambda text: text[:size]),
    st.integers(1, 40).map(lambda size: lambda text: text[size:] or "x"),
    st.integers(5, 130).map(lambda size: lambda text: text if len(text) < size else f"{text[: size - 4]}-etc"),
    st.sampled_from(LETTERS + "-").map(lambda letter: lambda text: text.replace(letter, "_")),
    st.sampled_from(
        [str.upper, str.lower, str.title, str.swapcase, lambda text: text[::-1], lambda text: f"{text}-{len(text)}"]
    ),
    st.just(lambda text: hashlib.sha256(text.encode()).hexdigest()[:12]),
    st.just(lambda text: "-".join(reversed(text.split("-")))),
)


@settings(max_examples=300, deadline=None)
@given(CHANGES, FLYTE_NAMES, FLYTE_NAMES)
def test_whatever_a_plugin_does_to_a_name_the_link_is_that_of_the_run_or_the_projects_with_a_warning(
    change: Callable[[str], str], run_name: str, action_name: str
) -> None:
    strategies = manager(acme=Rewrites(lambda request, run_id: change(run_id)))
    known = replace(KNOWN, run_name=run_name, name=action_name)
    made = build_link_to_run(SPEC, ASKED, strategies)
    if made.fault:
        assert made.url == PROJECT
        assert made.fault.startswith("compute_run_id of plugin 'builtin', wrapped by 'acme', changes the names")
    else:
        url = made.url.replace("{{.runName}}", run_name).replace("{{.actionName}}", action_name)
        assert url == build_link_to_run(SPEC, known, strategies).url
