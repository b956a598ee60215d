"""Which launcher started a process, and the checks of a rank's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_wandb import HookError, RefusedError, Topology, hookimpl, use_plugin
from flyte_wandb.plans._plan import detect_topology
from flyte_wandb.plans._request import detect_own_topology
from flyte_wandb.testing import world_of
from tests.pure.worlds import manager

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "job",
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1",
    "GROUP_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "3",
}
CLUSTERED_TORCH = {
    **TORCHRUN,
    "FLYTE_CLUSTERED_WORKER": "1",
    "NODE_RANK": "1",
    "NNODES": "2",
    "NPROC_PER_NODE": "4",
    "JOBSET_NAME": "job",
    "JOBSET_RESTART_ATTEMPT": "7",
}
CLUSTERED_JAX = {
    "FLYTE_CLUSTERED_WORKER": "1",
    "NODE_RANK": "2",
    "NNODES": "3",
    "NPROC_PER_NODE": "1",
    "RANK": "2",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "3",
    "LOCAL_WORLD_SIZE": "1",
    "JAX_COORDINATOR_ADDRESS": "job-0:29500",
    "JOBSET_RESTART_ATTEMPT": "1",
}

PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
UNNAMED = {name: TORCHRUN[name] for name in (*PLACE, "GROUP_RANK")}
"""What the documentation of the existing plugin names, and no launcher's marker."""


BUILT_IN = manager()


def detect(environ: Mapping[str, str]) -> Topology:
    return detect_topology(environ, BUILT_IN)


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in environ.items() if name not in names}


def test_torchrun_tells_every_place_of_a_rank() -> None:
    assert detect(TORCHRUN) == Topology(
        rank=5,
        world_size=8,
        local_rank=1,
        local_world_size=4,
        worker_index=1,
        num_workers=2,
        launcher="torch-elastic",
        restart_count=3,
    )


def test_torch_in_a_clustered_environment_is_the_clustered_launchers() -> None:
    assert detect(CLUSTERED_TORCH) == Topology(
        rank=5,
        world_size=8,
        local_rank=1,
        local_world_size=4,
        worker_index=1,
        num_workers=2,
        launcher="clustered",
        restart_count=3,
    )


def test_jax_in_a_clustered_environment_is_one_process_per_node() -> None:
    assert detect(CLUSTERED_JAX) == Topology(
        rank=2,
        world_size=3,
        local_rank=0,
        local_world_size=1,
        worker_index=2,
        num_workers=3,
        launcher="clustered",
        restart_count=1,
    )


@pytest.mark.parametrize("marker", [{}, {"TORCHELASTIC_RUN_ID": ""}, {"FLYTE_CLUSTERED_WORKER": ""}])
def test_a_pods_own_rank_without_a_launchers_marker_is_ignored(marker: dict[str, str]) -> None:
    environ = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "none", "NODE_RANK": "9", **marker}
    assert detect(environ) == Topology()
    assert not detect(environ).distributed


@pytest.mark.parametrize("absent", [None, ""])
@pytest.mark.parametrize("names", [names for count in range(4) for names in combinations(PLACE, count)])
def test_fewer_than_all_four_variables_without_a_marker_are_no_rank(names: tuple[str, ...], absent: str | None) -> None:
    others = {} if absent is None else dict.fromkeys(PLACE, absent)
    assert detect({**others, **{name: UNNAMED[name] for name in names}, "GROUP_RANK": "none"}) == Topology()


@pytest.mark.parametrize("marker", [{}, {"TORCHELASTIC_RUN_ID": ""}, {"FLYTE_CLUSTERED_WORKER": ""}])
@pytest.mark.parametrize("node", [{}, {"GROUP_RANK": "1"}, {"NODE_RANK": "1"}, {"GROUP_RANK": "1", "NNODES": "2"}])
def test_all_four_variables_are_a_rank_whoever_set_them(node: dict[str, str], marker: dict[str, str]) -> None:
    environ = without(UNNAMED, "GROUP_RANK") | node | marker
    assert detect(environ) == Topology(
        rank=5,
        world_size=8,
        local_rank=1,
        local_world_size=4,
        worker_index=1,
        num_workers=2,
        launcher="environment",
    )


def places(sizes: Sequence[int], *names: str) -> list[dict[str, str]]:
    """The variables of every rank of nodes with so many ranks each, of which `names` are left out."""
    return [
        without(
            {
                "RANK": str(place.rank),
                "WORLD_SIZE": str(place.world_size),
                "LOCAL_RANK": str(place.local_rank),
                "LOCAL_WORLD_SIZE": str(place.local_world_size),
                "GROUP_RANK": str(place.worker_index),
                "GROUP_WORLD_SIZE": str(place.num_workers),
            },
            *names,
        )
        for place in world_of(*sizes)
    ]


@given(st.integers(1, 6), st.integers(1, 6), st.sets(st.sampled_from(["GROUP_RANK", "GROUP_WORLD_SIZE"])))
def test_every_rank_of_an_even_world_is_found_with_and_without_its_nodes(
    nodes: int, ranks: int, absent: set[str]
) -> None:
    found = [detect(environ) for environ in places([ranks] * nodes, *absent)]
    assert found == world_of(*[ranks] * nodes, launcher="environment")


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_every_rank_of_a_ragged_world_is_found_where_its_node_is_named(sizes: list[int]) -> None:
    world = world_of(*sizes, launcher="environment")
    assert [detect(environ) for environ in places(sizes)] == world
    found = [detect(environ) for environ in places(sizes, "GROUP_WORLD_SIZE")]
    assert [replace(topology, num_workers=len(sizes)) for topology in found] == world
    assert {topology.num_workers > 1 for topology in found} == {len(sizes) > 1}


@given(st.lists(st.integers(1, 5), min_size=2, max_size=6).filter(lambda sizes: len(set(sizes)) > 1))
@example([2, 2, 1, 3])  # the rank that is alone on node 2 would be on node 4 if all were as small
def test_a_ragged_world_whose_nodes_are_not_named_is_refused(sizes: list[int]) -> None:
    environs = places(sizes, "GROUP_RANK")
    with pytest.raises(RefusedError, match=r"neither NODE_RANK nor GROUP_RANK names this node, .*; set GROUP_RANK to"):
        [detect(environ) for environ in environs]


def test_ranks_that_are_dealt_out_to_the_nodes_in_turn_need_the_node_named() -> None:
    dealt = UNNAMED | {"RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1"}
    assert (detect(dealt).worker_index, detect(dealt).num_workers) == (1, 2)
    with pytest.raises(RefusedError, match=r"set GROUP_RANK to its index, 0 for the first \(RANK='3', LOCAL_RANK='1'"):
        detect(without(dealt, "GROUP_RANK"))


@given(st.sampled_from(PLACE), st.text(min_size=1, max_size=9).filter(lambda text: not text.strip().isdecimal()))
def test_a_value_that_is_no_number_is_named_and_says_why_it_was_read(name: str, text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        detect(UNNAMED | {name: text})
    assert f"{name} is {text!r} in this process's environment; a whole number, " in str(caught.value)
    assert "RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE are all set, as for a rank: unset" in str(caught.value)


def test_a_launched_world_of_one_rank_is_distributed() -> None:
    place = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    found = detect({"TORCHELASTIC_RUN_ID": "job", **place})
    assert found == Topology(launcher="torch-elastic")
    assert found.distributed


@pytest.mark.parametrize(
    ("changed", "worker"),
    [
        ({"NODE_RANK": "2", "GROUP_RANK": "1", "GROUP_WORLD_SIZE": "3"}, 2),
        ({"GROUP_RANK": "2", "GROUP_WORLD_SIZE": "3"}, 2),
        ({"GROUP_WORLD_SIZE": "2"}, 1),
        ({}, 1),
    ],
)
def test_the_node_is_that_of_node_rank_then_group_rank_then_the_ranks_own(changed: dict[str, str], worker: int) -> None:
    environ = without(TORCHRUN, "GROUP_RANK", "GROUP_WORLD_SIZE") | changed
    assert detect(environ).worker_index == worker


@pytest.mark.parametrize(
    ("changed", "nodes"),
    [
        ({"GROUP_WORLD_SIZE": "2", "NNODES": "3"}, 2),
        ({"NNODES": "3"}, 3),
        ({}, 2),
        ({"WORLD_SIZE": "9"}, 3),
    ],
)
def test_the_number_of_nodes_is_told_or_follows_from_the_ranks_per_node(changed: dict[str, str], nodes: int) -> None:
    assert detect(without(TORCHRUN, "GROUP_WORLD_SIZE") | changed).num_workers == nodes


def test_a_rank_of_a_ragged_world_is_where_its_launcher_says() -> None:
    environ = TORCHRUN | {"RANK": "7", "WORLD_SIZE": "10", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    found = detect(environ)
    assert (found.rank, found.worker_index, found.num_workers, found.local_rank) == (7, 1, 2, 1)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE"])
def test_a_variable_that_the_launcher_left_out_is_named(name: str) -> None:
    with pytest.raises(RefusedError, match=rf"left {name} unset; a whole number, .*\(refused by plugin 'builtin' in"):
        detect(without(TORCHRUN, name))


def test_a_variable_with_thousands_of_digits_is_named_in_a_line_that_can_be_read() -> None:
    with pytest.raises(RefusedError, match=r"RANK is '9{100}'… in this process's environment; a whole number"):
        detect(TORCHRUN | {"RANK": "9" * 5000})


@pytest.mark.parametrize(
    ("name", "text", "fits"),
    [
        ("RANK", "", "0 to 7"),
        ("RANK", "one", "0 to 7"),
        ("RANK", "-1", "0 to 7"),
        ("RANK", "1.0", "0 to 7"),
        ("RANK", "8", "0 to 7"),
        ("WORLD_SIZE", "", "1 or more"),
        ("WORLD_SIZE", "0", "1 or more"),
        ("WORLD_SIZE", "all", "1 or more"),
        ("LOCAL_RANK", "4", "0 to 3"),
        ("LOCAL_RANK", "", "0 to 3"),
        ("LOCAL_WORLD_SIZE", "0", "1 or more"),
        ("LOCAL_WORLD_SIZE", "four", "1 or more"),
        ("GROUP_RANK", "-1", "0 or more"),
        ("GROUP_RANK", "", "0 or more"),
        ("GROUP_WORLD_SIZE", "two", "0 or more"),
        ("TORCHELASTIC_RESTART_COUNT", "often", "0 or more"),
    ],
)
def test_a_variable_that_does_not_fit_is_named_with_its_value_and_what_fits(name: str, text: str, fits: str) -> None:
    with pytest.raises(RefusedError) as caught:
        detect(TORCHRUN | {name: text})
    assert f"{name} is {text!r} in this process's environment; a whole number, {fits}, would fit" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOCAL_WORLD_SIZE", "9"),
        ("GROUP_WORLD_SIZE", "9"),
        ("GROUP_WORLD_SIZE", "0"),
        ("GROUP_RANK", "2"),
        ("NODE_RANK", "2"),
    ],
)
def test_a_variable_that_contradicts_the_others_is_named_with_its_value(name: str, text: str) -> None:
    with pytest.raises(HookError, match="contradict") as caught:
        detect(TORCHRUN | {name: text})
    assert name in str(caught.value).upper()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 8, "world_size": 8}, "rank 8 is outside its world: 0 to 7 fit, because world_size is 8"),
        ({"rank": -1}, "rank -1 is outside its world: 0 to 0 fit, because world_size is 1"),
        ({"world_size": 0}, "world_size 0 is too small; a world has at least 1 process"),
        ({"local_rank": 1}, "local_rank 1 is outside its world: 0 to 0 fit, because local_world_size is 1"),
        ({"worker_index": 2, "num_workers": 2}, "worker_index 2 is outside its world: 0 to 1 fit"),
        ({"local_world_size": 2}, "local_world_size 2 is larger than the whole world (world_size is 1)"),
        ({"num_workers": 3, "world_size": 2}, "num_workers 3 is larger than the whole world (world_size is 2)"),
        ({"restart_count": -1}, "restart_count -1 is negative; the first start counts as 0"),
    ],
)
def test_a_topology_outside_its_world_is_an_error_that_names_field_and_range(
    fields: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=r"\d") as caught:
        Topology(**fields)  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"RANK": "0"}, "before node 1 come 1 or more ranks, not -1 (RANK='0', LOCAL_RANK='1'"),
        ({"RANK": "1"}, "before node 1 come 1 or more ranks, not 0 (RANK='1', LOCAL_RANK='1'"),
        ({"LOCAL_WORLD_SIZE": "8"}, "one node has all 8 ranks, but there are 2 nodes"),
        ({"LOCAL_RANK": "0", "RANK": "7"}, "7 ranks before this node and 4 on it are more than the whole world"),
        ({"GROUP_RANK": "0", "GROUP_WORLD_SIZE": "1"}, "on a single node the local rank and the local world size are"),
        (
            {"GROUP_RANK": "0", "GROUP_WORLD_SIZE": "1", "RANK": "1"},
            "on a single node the local rank and the local world size are",
        ),
    ],
)
def test_places_that_fit_alone_and_not_together_are_refused_with_all_variables(
    changed: dict[str, str], words: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        detect({**TORCHRUN, **changed})
    assert str(refused.value).startswith(f"the launcher's variables contradict each other: {words}")
    assert "WORLD_SIZE='8'" in str(refused.value)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"])
@pytest.mark.parametrize("launcher", [TORCHRUN, CLUSTERED_TORCH, CLUSTERED_JAX])
def test_every_launcher_sets_these_so_a_missing_one_is_an_error(name: str, launcher: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match=f"left {name} unset"):
        detect(without(launcher, name))


class Later:
    """A launcher with a library that knows the rank only after a while."""

    rank: Topology | None = None

    @hookimpl
    def detect_topology(self, environ: Mapping[str, str]) -> Topology | None:
        return self.rank


def test_a_launcher_may_know_the_rank_from_more_than_the_environment() -> None:
    with use_plugin(launcher := Later()):
        assert detect_own_topology().launcher is None
        launcher.rank = Topology(launcher="later")
        assert detect_own_topology().launcher == "later"
