"""How many links a task has, and where each leads."""

from __future__ import annotations

from typing import Any

import pytest

from flyte_wandb import Part, Request, Topology, Wandb, hookimpl
from flyte_wandb._links import MOST_LINKS, links_of
from flyte_wandb._loader import installed
from flyte_wandb._spec import Spec

PROJECT = "https://w.example/team/vision"
TWO_BY_TWO = Topology(world_size=4, local_world_size=2, num_workers=2, launcher="Elastic")

pytestmark = pytest.mark.usefixtures("clean_client")


def declared(nodes: int, ranks: int) -> Topology:
    return Topology(world_size=nodes * ranks, local_world_size=ranks, num_workers=nodes, launcher="Elastic")


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
    assert pages(links_of(spec(topology, **settings))) == expected


def test_a_scope_that_only_the_context_names_still_has_one_link_to_a_run_that_exists() -> None:
    found = pages(links_of(spec(TWO_BY_TWO)), {"wandb_rank_scope": "worker"})
    assert found == {"": "/runs/r1-{{.actionName}}-worker-0"}


def test_more_parts_than_links_have_the_projects_page_behind_the_last() -> None:
    links = links_of(spec(declared(100, 2), rank_scope="worker"))
    found = pages(links)
    assert len(found) == MOST_LINKS + 1 == 9
    assert found["worker 7"] == "/runs/r1-{{.actionName}}-worker-7"
    assert found["(all)"] == ""


class Strided:
    """Four parts of ranks that are not neighbours, counted by how often it is asked."""

    asked = 0

    @hookimpl
    def locate_rank(self, request: Request) -> Part | None:
        if request.rank_scope != "strided":
            return None
        self.asked += 1
        index, stride = divmod(request.topology.rank, 4)
        return Part(label=f"stride-{stride}", index=index, size=request.topology.world_size // 4)


def test_parts_need_not_be_contiguous_and_the_scan_stops_when_they_fill_the_world() -> None:
    plugin = Strided()
    installed().register(plugin, name="strided")
    try:
        links = links_of(spec(declared(8192, 8), rank_scope="strided"))
    finally:
        installed().unregister("strided")
    assert plugin.asked == 4
    assert [(link.name, link.rank) for link in links] == [(f"Weights & Biases stride {n}", n) for n in range(4)]
