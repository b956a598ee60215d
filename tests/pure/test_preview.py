"""The plan of a whole task before its launch, as Python code asks for it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import flyte
import pytest
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import (
    HookError,
    Part,
    Preview,
    Request,
    Role,
    SettingError,
    Wandb,
    WandbSweep,
    hookimpl,
    preview,
    use_plugin,
    wandb_config,
    wandb_init,
)
from flyte_wandb.plans._inherited import write_run
from flyte_wandb.plans._plan import plan
from flyte_wandb.plans._world import world_requests
from flyte_wandb_hookspecs import ParentRun

env = flyte.TaskEnvironment(name="preview")
cluster = ClusteredTaskEnvironment(name="preview_cluster", replicas=2, nproc_per_node=2)
PLACE: Any = {"project": "vision", "entity": "team", "host": "https://w.example"}
PROJECT = "https://w.example/team/vision"

pytestmark = pytest.mark.usefixtures("clean_client")


def task(environment: Any = cluster, **settings: Any) -> Any:
    """A decorated task that must not run."""

    async def work() -> None:
        raise AssertionError("the task ran")

    return wandb_init(**PLACE, **settings)(environment.task(work))


def urls(found: Preview) -> list[str]:
    return [link.url.removeprefix(PROJECT) for link in found.links]


@pytest.mark.parametrize("run_mode", ["auto", "shared", "new"])
@pytest.mark.parametrize("rank_scope", ["global", "worker"])
def test_it_is_the_plan_of_every_declared_rank(run_mode: str, rank_scope: str) -> None:
    found = preview(task(run_mode=run_mode, rank_scope=rank_scope))
    assert found.plans == tuple(plan(request) for request in world_requests(found.request))
    assert len(found.plans) == 4
    assert found.request.task_name == "preview_cluster.work"


@pytest.mark.parametrize(
    ("settings", "summary", "links"),
    [
        ({}, "1 run, 1 link (3 ranks without a run)", ["/runs/RUN-ACTION"]),
        ({"run_mode": "shared"}, "1 run, 1 link (3 ranks joining)", ["/runs/RUN-ACTION"]),
        ({"run_mode": "new"}, "4 runs in 1 group, 1 link", ["/groups/RUN-ACTION/workspace"]),
        (
            {"run_mode": "new", "rank_scope": "worker"},
            "4 runs in 2 groups, 2 links",
            ["/groups/RUN-ACTION-worker-0/workspace", "/groups/RUN-ACTION-worker-1/workspace"],
        ),
        ({"id": "exp", "group": "g"}, "1 run in 1 group, 1 link (3 ranks without a run)", ["/runs/exp"]),
        ({"mode": "disabled"}, "1 run, 1 link (3 ranks without a run)", [""]),
    ],
)
def test_it_counts_runs_groups_and_links(settings: dict[str, Any], summary: str, links: list[str]) -> None:
    found = preview(task(**settings))
    assert (found.summary, urls(found)) == (summary, links)


def test_the_context_counts_and_another_world_can_be_tried() -> None:
    ranked = task(rank_scope="worker")
    found = preview(ranked, context=wandb_config(run_mode="new"), nodes=3, per_node=1)
    assert found.summary == "3 runs in 3 groups, 3 links"
    assert found.request.topology.launcher == "clustered"
    assert preview(ranked, per_node=1).summary == "2 runs, 2 links"
    assert preview(task(env), nodes=2, per_node=4).summary == "1 run, 1 link (7 ranks without a run)"


class Endless:
    @hookimpl
    def compute_run_id(self) -> str:
        return "x" * 10_000_000


class EndlessLink:
    @hookimpl
    def build_link(self) -> str:
        return "https://" + "x" * 10_000_000


@pytest.mark.parametrize(
    ("plugin", "fault"), [(Endless(), "at most 128 characters"), (EndlessLink(), "at most 8,192 characters")]
)
def test_an_answer_without_end_is_refused_in_a_line_that_can_be_read(plugin: Any, fault: str) -> None:
    with use_plugin(plugin), pytest.raises(HookError, match=fault) as refused:
        preview(task(env))
    assert len(str(refused.value)) < 1000


def test_a_world_of_more_ranks_than_anybody_plans_is_refused_at_once() -> None:
    with pytest.raises(SettingError, match="a world of more than 1,000,000 ranks is not planned rank by rank"):
        preview(task(), nodes=10**400, per_node=8)


@pytest.mark.parametrize("counted", ["nodes", "per_node"])
@pytest.mark.parametrize("number", [0, -1])
def test_a_world_without_nodes_or_ranks_is_refused(counted: str, number: int) -> None:
    world_of: Any = {counted: number}
    with pytest.raises(
        SettingError, match=rf"preview\({counted}={number}\): a world has 1 or more; leave {counted}= out"
    ):
        preview(task(), **world_of)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_WANDB_ON_ERROR", "")
    assert preview(task()).request.settings.on_error == "raise"


def test_a_child_joins_the_run_of_its_parent() -> None:
    above = write_run(ParentRun(run_id="r1-top", project="theirs", entity="them", host="https://w.example"))
    found = preview(task(env), context=above)
    assert found.summary == "0 runs, 1 link (1 rank joining the parent's run 'r1-top')"
    assert [link.url for link in found.links] == ["https://w.example/them/theirs/runs/r1-top"]
    assert found.plans[0].role is Role.JOIN


def test_the_links_are_those_that_the_task_really_has() -> None:
    made = task(env)
    made.links = (*made.links, WandbSweep(**PLACE), Wandb(name="by hand", nodes=9, per_node=1, rank=8, **PLACE))
    found = preview(made)
    assert [(link.name, link.rank) for link in found.links] == [
        ("Weights & Biases", 0),
        ("Weights & Biases sweep", None),
        ("by hand", 8),
    ]
    assert urls(found) == ["/runs/RUN-ACTION", "/sweeps", "/runs/RUN-ACTION"]
    assert found.link_of(0) == found.links[0]
    made.links = made.links[1:2]
    assert (preview(made).link_of(0), preview(made).unlinked) == (None, ("",))


def test_a_rank_knows_its_link_and_a_part_without_one_is_told() -> None:
    found = preview(task(), context=wandb_config(rank_scope="worker"))
    assert [link and link.name for link in map(found.link_of, range(4))] == ["Weights & Biases"] * 2 + [None] * 2
    assert found.unlinked == ("worker-1",)
    many = preview(task(rank_scope="worker"), nodes=20)
    assert [link and link.name for link in map(many.link_of, (0, 15, 16, 39))] == [
        "Weights & Biases worker 0",
        "Weights & Biases worker 7",
        "Weights & Biases (all)",
        "Weights & Biases (all)",
    ]
    assert many.unlinked == ()


def test_a_part_whose_leader_skips_is_linked_to_the_run_of_the_rank_that_writes() -> None:
    class LastRankOfEach:
        @hookimpl
        def choose_initializer(self, part: Part) -> Role:
            return Role.SOLO if part.index == part.size - 1 else Role.SKIP

    class Names:
        @hookimpl(wrapper=True)
        def compute_run_id(self, request: Request) -> Generator[None, str, str]:
            return f"{(yield)}-by-{request.topology.rank}"

    with use_plugin(LastRankOfEach()), use_plugin(Names()):
        found = preview(task(rank_scope="worker"))
    assert urls(found) == ["/runs/RUN-ACTION-worker-0-by-1", "/runs/RUN-ACTION-worker-1-by-3"]


def test_a_part_that_opens_no_run_needs_no_link() -> None:
    class FirstRankOnly:
        @hookimpl
        def choose_initializer(self, request: Request) -> Role:
            return Role.SKIP if request.topology.rank else Role.SOLO

    with use_plugin(FirstRankOnly()):
        assert preview(task(), context=wandb_config(rank_scope="worker")).unlinked == ()


def test_every_decision_has_an_author() -> None:
    class Names:
        @hookimpl(wrapper=True)
        def compute_run_id(self) -> Generator[None, str, str]:
            run_id = yield
            return f"acme-{run_id}"

    with use_plugin(Names(), name="acme"):
        found = preview(task())
    assert {hook: dict(counted) for hook, counted in found.authors().items()} == {
        "locate_rank": {("builtin", ()): 4},
        "choose_initializer": {("builtin", ()): 4},
        "compute_run_id": {("builtin", ("acme",)): 1},
        "compute_group": {("builtin", ()): 1},
        "build_link": {("builtin", ()): 1},
    }
    assert found.runs == ("acme-RUN-ACTION",)


class LastRankCollides:
    """Ids that two ranks have in common which are further apart than a link compares."""

    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return f"{request.base}-{request.topology.rank % 511}"


def test_two_owners_of_one_run_are_an_error_however_far_apart_they_are() -> None:
    with use_plugin(LastRankCollides()):
        with pytest.raises(
            HookError, match=r"two ranks own the run 'RUN-ACTION-0': rank 0, solo, and rank 511, solo; "
        ):
            preview(task(run_mode="new"), per_node=256)
        assert preview(task(run_mode="new"), per_node=255).summary == "510 runs in 1 group, 1 link"


def test_what_has_no_plan_is_refused() -> None:
    async def untracked() -> None: ...

    with pytest.raises(SettingError, match=r"the task 'preview.untracked' has no @wandb_init, so it opens no run"):
        preview(env.task(untracked))
    with pytest.raises(SettingError, match=r"a preview needs a Flyte task, not <function"):
        preview(untracked)


def test_an_override_after_decoration_is_planned_as_it_will_run() -> None:
    made = task(rank_scope="worker")
    found = preview(made.override(links=(replace(made.links[1], name="only"),)))
    assert [(link.name, link.rank) for link in found.links] == [("only", 2)]
    assert found.unlinked == ("worker-0",)
