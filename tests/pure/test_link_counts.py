"""How many links a task has, and where each leads."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flyte_wandb import Part, Request, Role, SettingError, Topology, Wandb, WandbSweep, hookimpl
from flyte_wandb._action import Action
from flyte_wandb.links._build import MOST_CHECKED, build_link_to_sweep
from flyte_wandb.links._per_part import MOST_LINKS, MOST_SCANNED, build_task_links
from flyte_wandb.plans._spec import Spec
from flyte_wandb.plugins._loading import get_manager
from tests.messages import own_messages
from tests.pure.worlds import manager

PROJECT = "https://w.example/team/vision"
TWO_BY_TWO = Topology(world_size=4, local_world_size=2, num_workers=2, launcher="torch-elastic")

pytestmark = pytest.mark.usefixtures("clean_client")


def declared(nodes: int, ranks: int) -> Topology:
    return Topology(world_size=nodes * ranks, local_world_size=ranks, num_workers=nodes, launcher="torch-elastic")


def spec(topology: Topology | None, **settings: Any) -> Spec:
    given = {"project": "vision", "entity": "team", "host": "https://w.example", **settings}
    return Spec(settings=given, declared=topology)


def pages(links: tuple[Wandb, ...], context: dict[str, str] | None = None) -> dict[str, str]:
    return {
        link.name.removeprefix("Weights & Biases").strip(): link.get_link(
            "r1", "p", "d", context or {}, "", "{{.actionName}}", ""
        ).removeprefix(PROJECT)
        for link in links
    }


@pytest.mark.parametrize(
    ("topology", "settings", "expected"),
    [
        (None, {}, {"": "/runs/r1-{{.actionName}}"}),
        (None, {"rank_scope": "worker"}, {"": "/runs/r1-{{.actionName}}"}),
        (declared(1, 2), {"rank_scope": "worker"}, {"": "/runs/r1-{{.actionName}}"}),
        (TWO_BY_TWO, {}, {"": "/runs/r1-{{.actionName}}"}),
        (TWO_BY_TWO, {"run_mode": "new"}, {"": "/groups/r1-{{.actionName}}/workspace"}),
        (
            TWO_BY_TWO,
            {"rank_scope": "worker"},
            {"worker 0": "/runs/r1-{{.actionName}}-worker-0", "worker 1": "/runs/r1-{{.actionName}}-worker-1"},
        ),
        (
            TWO_BY_TWO,
            {"rank_scope": "worker", "run_mode": "shared", "id": "exp"},
            {"worker 0": "/runs/exp-worker-0", "worker 1": "/runs/exp-worker-1"},
        ),
        (
            TWO_BY_TWO,
            {"rank_scope": "worker", "run_mode": "new"},
            {
                "worker 0": "/groups/r1-{{.actionName}}-worker-0/workspace",
                "worker 1": "/groups/r1-{{.actionName}}-worker-1/workspace",
            },
        ),
    ],
)
def test_one_link_per_part_of_the_declared_world(
    topology: Topology | None, settings: dict[str, str], expected: dict[str, str]
) -> None:
    assert pages(build_task_links(spec(topology, **settings))) == expected


def test_a_scope_that_only_the_context_names_still_has_one_link_to_a_run_that_exists() -> None:
    found = pages(build_task_links(spec(TWO_BY_TWO)), {"wandb_rank_scope": "worker"})
    assert found == {"": "/runs/r1-{{.actionName}}-worker-0"}


@pytest.mark.parametrize(
    ("settings", "page"),
    [
        ({}, ""),
        ({"run_mode": "new"}, ""),
        ({"run_mode": "new", "group": "ours"}, "/groups/ours/workspace"),
        ({"group": "ours"}, "/groups/ours/workspace"),
    ],
)
def test_more_parts_than_links_have_their_common_group_behind_the_last_or_else_the_project(
    settings: dict[str, str], page: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = pages(build_task_links(spec(declared(100, 2), rank_scope="worker", **settings)))
    assert len(found) == MOST_LINKS + 1 == 9
    assert list(found)[-2:] == ["worker 7", "(all)"]
    assert found["(all)"] == page
    assert own_messages(caplog) == []


class Scope:
    """A rank scope of its own making, counted by how often it is asked."""

    def __init__(self, locate: Callable[[Topology], Part]) -> None:
        self.locate = locate
        self.asked = 0

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        if request.rank_scope != "own":
            return None
        self.asked += 1
        return self.locate(request.topology)


def strided(topology: Topology) -> Part:
    index, stride = divmod(topology.rank, 4)
    return Part(label=f"stride-{stride}", index=index, size=topology.world_size // 4)


def strided_by_sixteen(topology: Topology) -> Part:
    """More parts than links."""
    index, stride = divmod(topology.rank, 16)
    return Part(label=f"stride-{stride}", index=index, size=topology.world_size // 16)


class FirstPartSkips:
    """A run mode of which one part has no run."""

    @hookimpl
    def choose_initializer(self, part: Part) -> Role | None:
        return Role.SKIP if part.label == "stride-0" else None


def halves(topology: Topology) -> Part:
    half = topology.world_size // 2
    side, index = divmod(topology.rank, half)
    return Part(label=f"half-{side}", index=index, size=half)


def ragged(topology: Topology) -> Part:
    """Three parts: one rank, a third, and all the rest."""
    bounds = [0, 1, topology.world_size // 3, topology.world_size]
    side = next(n for n in (2, 1, 0) if topology.rank >= bounds[n])
    return Part(label=f"part-{side}", index=topology.rank - bounds[side], size=bounds[side + 1] - bounds[side])


def backwards(topology: Topology) -> Part:
    """Nodes whose last rank leads."""
    index = topology.local_world_size - 1 - topology.local_rank
    return Part(label=f"node-{topology.worker_index}", index=index, size=topology.local_world_size)


def last_stage(topology: Topology) -> Part:
    """Two replicas in turn, each led by its rank of the last stage."""
    stage, replica = divmod(topology.rank, 2)
    stages = topology.world_size // 2
    return Part(label=f"replica-{replica}", index=stages - 1 - stage, size=stages)


def alone(topology: Topology) -> Part:
    return Part(label=f"rank-{topology.rank}")


def leaderless(topology: Topology) -> Part:
    return Part(label="lost", index=1, size=2)


W = 8192 * 8


@pytest.mark.parametrize(
    ("locate", "expected", "asked"),
    [
        (strided, {0: "stride 0", 1: "stride 1", 2: "stride 2", 3: "stride 3"}, 7),
        (halves, {0: "half 0", W // 2: "half 1"}, 2),
        (ragged, {0: "part 0", 1: "part 1", W // 3: "part 2"}, 3),
        (backwards, {8 * n + 7: f"node {n}" for n in range(8)} | {None: "(all)"}, 16),
        (last_stage, {W - 2: "replica 0", W - 1: "replica 1"}, MOST_SCANNED // 2 + 2),
        (alone, {n: f"rank {n}" for n in range(8)} | {None: "(all)"}, 9),
        (leaderless, {None: "(all)"}, MOST_SCANNED),
    ],
)
def test_parts_of_any_shape_are_found_by_looking_at_few_ranks(
    locate: Callable[[Topology], Part], expected: dict[int | None, str], asked: int
) -> None:
    plugin = Scope(locate)
    get_manager().register(plugin, name="own")
    try:
        links = build_task_links(spec(declared(8192, 8), rank_scope="own"))
    finally:
        get_manager().unregister("own")
    assert {link.rank: link.name for link in links} == {
        rank: f"Weights & Biases {name}" for rank, name in expected.items()
    }
    assert plugin.asked == asked


def test_in_local_mode_the_links_of_ranks_that_do_not_run_lead_to_the_project() -> None:
    links = build_task_links(spec(TWO_BY_TWO, rank_scope="worker"))
    asked = [link.get_link("r1", "", "", {}, "", "a7", "localhost") for link in links]
    assert asked == [f"{PROJECT}/runs/r1-a7-worker-0", PROJECT]


@pytest.mark.parametrize(("pod", "environ", "page"), [("localhost", True, ""), ("{{.podName}}", False, "/runs/r1-a7")])
def test_a_disabled_client_of_this_process_has_no_runs_in_local_mode(
    pod: str, environ: bool, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (link,) = build_task_links(spec(None))
    assert link.get_link("r1", "", "", {}, "", "a7", pod) == f"{PROJECT}{page}"
    assert link.get_link("r1", "", "", {"wandb_mode": "disabled"}, "", "a7", pod) == PROJECT


class OneIdForAll:
    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return request.base


class LastRankCollides:
    """An id that two ranks have in common which are too far apart to be compared when a link is asked for."""

    @hookimpl
    def compute_run_id(self, request: Request) -> str:
        return f"{request.base}-{request.topology.rank % 1024}"


def test_ranks_that_would_own_one_run_cost_the_link_and_are_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = spec(TWO_BY_TWO, run_mode="new", rank_scope="worker")
    get_manager().register(OneIdForAll(), name="careless")
    try:
        found = pages(build_task_links(made))
    finally:
        get_manager().unregister("careless")
    assert found == {"worker 0": "", "worker 1": ""}
    (message,) = own_messages(caplog)
    assert {record.levelname for record in caplog.records if record.name == "flyte_wandb"} == {"ERROR"}
    assert message.endswith(
        "two ranks own the run 'r1-{{.actionName}}': rank 0 (rank 0 of worker-0), solo, and rank 1 (rank 1 of "
        "worker-0), solo; compute_run_id of plugin 'careless' has to tell parts and ranks apart"
    )


@pytest.mark.parametrize("run_mode", ["new", "shared"])
def test_the_check_is_bounded_when_a_link_is_asked_for(run_mode: str, caplog: pytest.LogCaptureFixture) -> None:
    plugin = Scope(strided)
    get_manager().register(plugin, name="own")
    get_manager().register(LastRankCollides(), name="far") if run_mode == "new" else None
    try:
        links = build_task_links(spec(declared(8192, 8), run_mode=run_mode, rank_scope="own"))
        plugin.asked = 0
        address = links[1].get_link("r1", "p", "d", {}, "", "a0", "")
    finally:
        get_manager().unregister("own")
        get_manager().unregister("far")
    assert address != PROJECT
    crowd = "16,384 ranks write to one run and send at least"
    assert [crowd in message for message in own_messages(caplog)] == ([True] if run_mode == "shared" else [])
    assert plugin.asked <= MOST_CHECKED + 3


def test_all_links_of_a_task_plan_its_ranks_once() -> None:
    plugin = Scope(strided_by_sixteen)
    get_manager().register(plugin, name="own")
    try:
        links = build_task_links(spec(declared(8192, 8), run_mode="new", rank_scope="own", group="ours"))
        plugin.asked = 0
        found = pages(links)
    finally:
        get_manager().unregister("own")
    assert found["(all)"] == "/groups/ours/workspace"
    # Once for each rank that is compared, and for each link once, and with two samples of what Flyte fills in.
    assert plugin.asked == MOST_CHECKED + 3 * len(links)


def test_the_common_page_is_that_of_the_ranks_with_a_run_where_the_first_part_has_none() -> None:
    get_manager().register(Scope(strided_by_sixteen), name="own")
    get_manager().register(FirstPartSkips(), name="idle")
    try:
        found = pages(build_task_links(spec(declared(4, 8), run_mode="new", rank_scope="own", group="ours")))
    finally:
        get_manager().unregister("own")
        get_manager().unregister("idle")
    assert found["(all)"] == "/groups/ours/workspace"


def test_a_primary_behind_the_ranks_that_are_checked_is_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    get_manager().register(Scope(backwards), name="own")
    try:
        found = pages(build_task_links(spec(declared(1, 512), run_mode="shared", rank_scope="own")))
    finally:
        get_manager().unregister("own")
    assert found == {"": "/runs/r1-{{.actionName}}-node-0"}
    assert own_messages(caplog) == [
        "a task: 512 ranks write to one run and send at least 17.7 requests a second, of which W&B takes 2, and has "
        "tested 300 writers: it makes them wait, and rows appear late; name a rank scope with at most 57 ranks in each "
        "part, or run_mode='auto' for one writer"
    ]


def test_a_link_by_hand_takes_settings_and_a_world() -> None:
    by_hand = Wandb(name="ours", nodes=2, per_node=8, rank=8, rank_scope="worker", project="vision", entity="team")
    context = {"wandb_host": "https://w.example"}
    assert by_hand.name == "ours"
    assert by_hand.get_link("r1", "", "", context, "", "a0", "") == f"{PROJECT}/runs/r1-a0-worker-1"
    assert Wandb(per_node=2).spec.declared == declared(1, 2)
    assert Wandb(nodes=2).spec.declared == declared(2, 1)
    with pytest.raises(SettingError, match=r"Wandb\(entity='a/b'\): "):
        Wandb(entity="a/b")


def test_a_link_survives_being_pickled() -> None:
    links: tuple[Any, ...] = (*build_task_links(spec(TWO_BY_TWO, rank_scope="worker")), WandbSweep(project="vision"))
    assert pickle.loads(pickle.dumps(links)) == links
    assert replace(links[0], name="other").rank == links[0].rank == 0


@pytest.mark.parametrize(
    ("settings", "context", "page"),
    [
        ({}, {}, f"{PROJECT}/sweeps"),
        ({}, {"_wandb_sweep_id": "ab/1"}, f"{PROJECT}/sweeps/ab%2F1"),
        ({}, {"wandb_sweep_project": "search"}, "https://w.example/team/search/sweeps"),
        ({"project": "own"}, {"wandb_sweep_project": "search"}, "https://w.example/team/own/sweeps"),
        ({}, {"wandb_project": "", "wandb_sweep_entity": "they"}, "https://w.example/they"),
    ],
)
def test_the_link_of_a_sweep(settings: dict[str, str], context: dict[str, str], page: str) -> None:
    outer = {"wandb_project": "vision", "wandb_entity": "team", "wandb_host": "https://w.example"}
    asked = {key: text for key, text in (outer | context).items() if text}
    link = WandbSweep(**settings)  # type: ignore[arg-type]
    assert link.name == "Weights & Biases sweep"
    assert link.icon_uri == Wandb().icon_uri
    assert link.get_link("{{.runName}}", "p", "d", asked, "", "{{.actionName}}", "") == page


def test_a_plugin_leads_to_another_page_of_the_sweep() -> None:
    class Board:
        @hookimpl
        def build_sweep_link(self, sweep_id: str | None, project_url: str) -> str | None:
            return f"{project_url}/reports/{sweep_id}" if sweep_id else None

    strategies = manager(board=Board())
    made = Spec(settings={"project": "vision", "entity": "team", "host": "https://w.example"})
    actions = [Action(run_name="r1", name="a0", context=context) for context in ({}, {"_wandb_sweep_id": "s1"})]
    assert [build_link_to_sweep(made, action, strategies).url for action in actions] == [
        f"{PROJECT}/sweeps",
        f"{PROJECT}/reports/s1",
    ]
