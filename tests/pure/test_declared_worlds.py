"""Which world a task declares: by Elastic, by a clustered environment, by a plugin; and what follows from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import flyte
import pytest
from flyte.clustered import ClusteredTaskEnvironment
from flyte.extend import AsyncFunctionTaskTemplate, TaskPluginRegistry

from flyte_wandb import (
    HookError,
    RefusedError,
    Request,
    Topology,
    hookimpl,
    plan,
    preview,
    use_plugin,
    wandb_init,
)
from flyte_wandb.plans._plan import declare_topology, detect_topology
from tests.messages import own_messages
from tests.pure.worlds import manager, request

PLACE: Any = {"project": "vision", "entity": "team", "host": "https://w.example"}
PROJECT = "https://w.example/team/vision"

pytestmark = pytest.mark.usefixtures("clean_client")


@dataclass
class Torch:
    """The fields by which Flyte's Elastic declares a world."""

    nnodes: Any
    nproc_per_node: Any


@dataclass
class MpiJob:
    """What a launcher of an organisation's own is configured by."""

    hosts: int
    slots: int


@dataclass(kw_only=True)
class MpiTask(AsyncFunctionTaskTemplate):  # type: ignore[type-arg, unused-ignore]
    plugin_config: MpiJob


TaskPluginRegistry.register(MpiJob, MpiTask)


class Mpi:
    """Its plugin: the world that a job declares, and the rank that each of its processes is."""

    @hookimpl
    def declare_topology(self, plugin_config: Any, environment: Any) -> Topology | None:
        if isinstance(plugin_config, MpiJob):
            return Topology.even(plugin_config.hosts, plugin_config.slots, launcher="mpi")
        if environment is not None and "OMPI_HOSTS" in (environment.env_vars or {}):
            return Topology.even(int(environment.env_vars["OMPI_HOSTS"]), 1, launcher="mpi")
        return None

    @hookimpl
    def detect_topology(self, environ: Mapping[str, str]) -> Topology | None:
        if "OMPI_RANK" not in environ:
            return None
        node, local_rank = divmod(int(environ["OMPI_RANK"]), 2)
        return Topology(
            rank=int(environ["OMPI_RANK"]),
            world_size=4,
            local_rank=local_rank,
            local_world_size=2,
            worker_index=node,
            num_workers=2,
            launcher="mpi",
        )


def environment(config: Any = None, **options: Any) -> flyte.TaskEnvironment:
    return flyte.TaskEnvironment(name="declared", plugin_config=config, **options)


def task(of: flyte.TaskEnvironment, **settings: Any) -> Any:
    async def work() -> None:
        raise AssertionError("the task ran")

    return wandb_init(**PLACE, **settings)(of.task(work))


def even(nodes: int, per_node: int) -> Topology:
    return Topology.even(nodes, per_node, launcher="torch-elastic")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Torch(1, 4), even(1, 4)),
        (Torch("3", 2), even(3, 2)),
        (Torch(2, "4"), even(2, 4)),
        (Torch("2:2", 4), even(2, 4)),
        (None, None),
        (object(), None),
    ],
)
def test_elastic_declares_its_nodes_and_their_ranks(config: Any, expected: Topology | None) -> None:
    assert declare_topology(config, environment()) == declare_topology(config, None) == expected


def test_a_clustered_environment_declares_its_replicas_with_and_without_its_environment() -> None:
    clustered = ClusteredTaskEnvironment(name="clustered_world", replicas=2, nproc_per_node=4)
    expected = Topology.even(2, 4, launcher="clustered")
    assert declare_topology(clustered.plugin_config, clustered) == expected
    assert declare_topology(None, clustered) == expected  # Flyte before 2.12
    if getattr(clustered.plugin_config, "settings", None):
        assert declare_topology(clustered.plugin_config, None) == expected  # a task that was pickled


@pytest.mark.parametrize(
    ("config", "gpus", "world", "caveat"),
    [
        (Torch("1:4", 2), None, even(4, 2), "nnodes='1:4' is a range, planned as 4 nodes: with fewer, links to"),
        (Torch(2, "gpu"), "V100:4", even(2, 4), None),
        (Torch(2, "auto"), 8, even(2, 8), None),
        (Torch(2, "gpu"), None, even(2, 1), "nproc_per_node='gpu' is counted on the node when the task starts"),
        (Torch(2, "auto"), None, even(2, 1), "nproc_per_node='auto' is counted on the node when the task starts"),
        (Torch(2, "cpu"), "V100:4", even(2, 1), "nproc_per_node='cpu' is counted on the node when the task starts"),
    ],
)
def test_what_only_the_start_can_tell_is_planned_and_said(
    config: Torch, gpus: Any, world: Topology, caveat: str | None
) -> None:
    declared = declare_topology(config, environment(resources=flyte.Resources(gpu=gpus)))
    assert declared is not None
    assert (declared.num_workers, declared.local_world_size) == (world.num_workers, world.local_world_size)
    assert (declared.caveat is None) is (caveat is None)
    assert (declared.caveat or "").startswith(caveat or "")


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (Torch(0, 4), "nnodes=0"),
        (Torch(1, 0), "nproc_per_node=0"),
        (Torch("two", 4), "nnodes='two'"),
        (Torch("1:", 4), "nnodes='1:'"),
        (Torch(1, -1), "nproc_per_node=-1"),
        (Torch(1, None), "nproc_per_node=None"),
    ],
)
def test_a_world_that_cannot_be_is_refused_by_field_and_value(config: Torch, named: str) -> None:
    with pytest.raises(RefusedError, match=rf"^{named} of the task's plugin_config or environment: a world has 1 or m"):
        declare_topology(config, None)


@pytest.mark.parametrize("run_mode", ["auto", "shared", "new"])
@pytest.mark.parametrize("rank_scope", ["global", "worker"])
def test_a_launcher_that_is_a_plugin_has_right_ids_links_and_plans(run_mode: str, rank_scope: str) -> None:
    with use_plugin(Mpi(), name="mpi"):
        found = preview(task(environment(MpiJob(2, 2)), run_mode=run_mode, rank_scope=rank_scope))
        started = [detect_topology({"OMPI_RANK": str(rank)}) for rank in range(4)]
        settings = found.request.settings
        names: Any = {"run_name": "RUN", "action_name": "ACTION", "settings": settings}
        ran = [plan(Request(**names, topology=topology)) for topology in started]
    assert [(one.role, one.run_id, one.group) for one in found.plans] == [
        (one.role, one.run_id, one.group) for one in ran
    ]
    pages = {f"{PROJECT}/groups/{one.group}/workspace" if one.group else f"{PROJECT}/runs/{one.run_id}" for one in ran}
    assert {link.url for link in found.links} == pages - {f"{PROJECT}/runs/None"}
    assert len(found.links) == (2 if rank_scope == "worker" else 1)
    assert found.request.topology.launcher == "mpi"


def test_an_environment_alone_may_declare_a_world() -> None:
    with use_plugin(Mpi(), name="mpi"):
        found = preview(task(environment(env_vars={"OMPI_HOSTS": "3"}), rank_scope="worker"))
    assert [link.url for link in found.links] == [f"{PROJECT}/runs/RUN-ACTION-worker-{node}" for node in range(3)]


def test_a_plugin_that_came_after_the_decoration_counts_in_the_preview() -> None:
    decorated = task(environment(MpiJob(2, 2)), rank_scope="worker")
    assert preview(decorated).summary == "1 run, 1 link"
    with use_plugin(Mpi(), name="mpi"):
        assert preview(decorated).summary == "2 runs, 2 links (2 ranks without a run)"


def test_a_task_that_is_overridden_keeps_the_links_of_its_decoration() -> None:
    with use_plugin(Mpi(), name="mpi"):
        decorated = task(environment(MpiJob(2, 2)), rank_scope="worker")
        smaller = preview(decorated.override(plugin_config=MpiJob(1, 2)))
    assert (len(smaller.plans), len(smaller.links)) == (2, 2)


def test_a_caveat_stands_in_plans_and_notes_of_links_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Range:
        @hookimpl
        def declare_topology(self) -> Topology:
            return Topology.even(2, 2, launcher="mpi", caveat="it may have fewer hosts")

    caplog.set_level(logging.INFO, "flyte_wandb")
    with use_plugin(Range(), name="range"):
        decorated = task(environment(), rank_scope="worker")
        found = preview(decorated)
        urls = [link.get_link("r1", "p", "d", {}, "", "a0", "") for link in decorated.links]
    assert urls == [f"{PROJECT}/runs/r1-a0-worker-{node}" for node in range(2)]
    assert found.request.topology.caveat == "it may have fewer hosts"
    assert [link.note for link in found.links] == ["it may have fewer hosts"] * 2
    assert own_messages(caplog) == ["the W&B links of declared.work: it may have fewer hosts"]


class Answers:
    """A plugin with one answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def declare_topology(self) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((2, 2), "a topology is a Topology, not tuple"),
        (Topology(world_size=2, local_world_size=2), "a declared world names its launcher"),
        (Topology(rank=1, local_rank=1, world_size=2, local_world_size=2, launcher="mpi"), "answered as its rank 0"),
        (Topology(world_size=3, local_world_size=2, num_workers=2, launcher="mpi"), "as many ranks; use Topology.even"),
    ],
)
def test_an_answer_that_is_no_declared_world_is_an_error_that_names_the_plugin(answer: Any, fault: str) -> None:
    with pytest.raises(HookError, match=rf"^declare_topology of plugin 'odd' answered .*{fault}"):
        declare_topology(None, None, manager(odd=Answers(answer)))


def test_a_failing_plugin_is_named_when_the_task_is_decorated() -> None:
    class Fails:
        @hookimpl
        def declare_topology(self, environment: Any) -> None:
            raise KeyError(environment.name)

    with (
        use_plugin(Fails(), name="fails"),
        pytest.raises(HookError, match=r"^plugin 'fails' failed in declare_topology: KeyError: 'declared'"),
    ):
        task(environment())


def test_a_rank_has_no_caveat() -> None:
    assert request().topology.caveat is None
