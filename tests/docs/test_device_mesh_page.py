"""The page of the mesh plugin: its code opens the runs that it says, and its layouts put the loss where it is."""

from __future__ import annotations

from typing import Any, Final

import pytest
from flyte.clustered import ClusteredTaskEnvironment

import flyte_wandb_mesh
from flyte_wandb import Request, Settings, plan, preview, use_plugin, wandb_init
from flyte_wandb.plugins._loading import get_manager
from flyte_wandb.testing import world_of
from tests.docs.pages import blocks, table_rows

PAGE: Final = "docs/device-mesh.md"
RANKS: Final = (8,) * 8
LAYOUTS: Final = [
    pytest.param(cells[0], cells[-2].strip("`"), cells[-1].strip("`"), id=cells[0].replace("`", ""))
    for cells in table_rows(PAGE, "The usual layouts")
    if cells[0] not in ("framework", "---")
]


def opened(rank_scope: str) -> dict[int, str | None]:
    """The run of each rank that opens one."""
    settings = Settings(rank_scope=rank_scope)
    requests = [Request(run_name="r1", action_name="a0", settings=settings, topology=rank) for rank in world_of(*RANKS)]
    plans = [plan(request, get_manager()) for request in requests]
    return {rank: one.run_id for rank, one in enumerate(plans) if one.run_id}


def test_the_code_opens_a_run_for_each_replica() -> None:
    (block,) = (block for block in blocks(PAGE) if block.kind == "python")
    env = ClusteredTaskEnvironment(name="mesh_page", replicas=8, nproc_per_node=8)
    names: dict[str, Any] = {"wandb_init": wandb_init, "env": env}
    with use_plugin(flyte_wandb_mesh):
        exec(block.text, names)
        shown = preview(names["pretrain"])
    assert shown.runs == ("RUN-ACTION-dp-0", "RUN-ACTION-dp-1")
    assert [link.name for link in shown.links] == ["Weights & Biases dp 0", "Weights & Biases dp 1"]


@pytest.mark.parametrize(("framework", "for_job", "per_replica"), LAYOUTS)
def test_a_layout_opens_its_runs_on_the_last_pipeline_stage(framework: str, for_job: str, per_replica: str) -> None:
    """Ranks 48 to 63 are the last stage where stages are outermost; 24 to 31 and 56 to 63 where replicas are."""
    leaders = (24, 56) if "mapping" in framework else (48, 56)
    with use_plugin(flyte_wandb_mesh):
        assert list(opened(for_job)) == [leaders[0]]
        assert tuple(opened(per_replica)) == leaders


def test_the_page_has_four_layouts() -> None:
    assert len(LAYOUTS) == 4
