"""From a plan to the one call of `wandb.init`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flyte_wandb import ParentRun, Part, Plan, Request, Role, Topology, plan
from flyte_wandb._place import Place
from flyte_wandb.plans._plan import run_place
from flyte_wandb.runs._opening import build_monitor_opening, build_opening, rank_label, writer_label
from flyte_wandb.runs._run_hooks import Contribution
from flyte_wandb.settings._merge import merge_settings
from flyte_wandb.settings._schema import check_settings
from flyte_wandb.wandb_client._opening import Mode, Opening
from tests.pure.worlds import ALONE, launched, manager, request

ABOVE = ParentRun(run_id="r1-top", group="g", project="theirs", entity="team", host="https://wandb.example.com")
BARE = ParentRun(run_id="r1-top")
RANK_0, RANK_1 = launched(2)
MODES: list[Mode] = ["online", "offline", "disabled"]


def asked(topology: Topology = ALONE, parent: ParentRun | None = None, **settings: Any) -> Request:
    given = merge_settings({}, check_settings(settings, "wandb_init"), parent=parent, action_name="a0")
    return Request(run_name="r1", action_name="a0", settings=given, topology=topology, parent=parent)


def planned(one: Request) -> Plan:
    return plan(one, manager())


def opened(one: Request, mode: Mode, *, local: bool = False) -> Opening:
    return build_opening(planned(one), one, mode=None if local else mode)


SOLO = asked(joinable=False)
PRIMARY = asked()
PRIMARY_RANK = asked(RANK_0, run_mode="shared")
SECONDARY = asked(RANK_1, run_mode="shared")
JOIN = asked(parent=ABOVE)

SHARED_OWNER = {"mode": "shared", "x_primary": True, "x_update_finish_state": True}
SHARED_JOINER = {"mode": "shared", "x_primary": False, "x_update_finish_state": False}


@pytest.mark.parametrize(
    ("one", "settings"),
    [
        (SOLO, {}),
        (PRIMARY, {**SHARED_OWNER, "x_label": "a0"}),
        (PRIMARY_RANK, {**SHARED_OWNER, "x_label": "rank-0"}),
        (SECONDARY, {**SHARED_JOINER, "x_label": "rank-1"}),
        (JOIN, {**SHARED_JOINER, "x_label": "a0"}),
    ],
)
def test_online_all_but_solo_use_wandbs_shared_mode_with_a_label_per_writer(
    one: Request, settings: dict[str, Any]
) -> None:
    found = opened(one, "online")
    assert found.settings == settings
    assert found.shared is bool(settings)


def measured(rank: int, run_mode: str = "auto", **settings: Any) -> Request:
    return asked(launched(2, 2)[rank], run_mode=run_mode, system_metrics="nodes", **settings)


def test_a_monitor_joins_with_its_label_and_nothing_of_the_users_but_where_the_run_is() -> None:
    one = measured(2, **{**WHOLE, "settings": {"x_stats_sampling_interval": 5.0}, "sync_tensorboard": True})
    found = build_monitor_opening(planned(one), one, mode="online")
    assert (found.run_id, found.shared, found.alone) == ("r1-a0", True, False)
    assert found.settings.items() >= {**SHARED_JOINER, "x_label": "worker-1-rank-0", "console": "off"}.items()
    settings = {"x_stats_sampling_interval": 5.0}
    assert found.arguments == {"project": "vision", "entity": "us", "settings": settings}


def test_offline_a_monitor_keeps_a_log_of_its_own_in_the_group_of_the_run() -> None:
    one = measured(2, config={"lr": 0.1}, tags=["a"])
    found = build_monitor_opening(planned(one), one, mode="offline")
    assert (found.run_id, found.shared, found.alone) == ("r1-a0-worker-1-rank-0", False, True)
    assert found.arguments == {"group": "r1-a0", "name": "a0 r1 worker-1-rank-0", "resume": "allow"}


HALVES = [Part(label="half-0", index=0, size=2, node_ranks=(1, 0)), Part(index=0, size=4, node_ranks=(0, 1, 2, 3))]


@pytest.mark.parametrize(
    ("one", "part", "defaults"),
    [
        (measured(0, "shared"), None, {}),
        (measured(1, "shared"), None, {"x_disable_stats": True}),
        (measured(2, "shared"), None, {}),
        (measured(3, "shared"), None, {"x_disable_stats": True}),
        (asked(RANK_1, run_mode="shared"), None, {}),
        (asked(launched(4)[1], system_metrics="nodes"), HALVES[0], {"x_stats_gpu_device_ids": (0, 1)}),
        (asked(launched(4)[0], system_metrics="nodes"), HALVES[1], {}),
    ],
)
def test_no_device_of_a_node_is_counted_twice(one: Request, part: Part | None, defaults: dict[str, Any]) -> None:
    plan = planned(one)
    assert (
        build_opening(
            replace(plan, part=part, role=Role.SOLO, run_id="r1") if part else plan, one, mode="online"
        ).defaults
        == defaults
    )


@pytest.mark.parametrize(
    ("one", "local", "mode"),
    [(one, True, mode) for one in (SOLO, PRIMARY, JOIN) for mode in MODES]
    + [(one, False, mode) for one in (SOLO, PRIMARY, PRIMARY_RANK, SECONDARY, JOIN) for mode in MODES[1:]],
)
def test_shared_mode_is_never_used_locally_nor_offline_nor_when_disabled(one: Request, local: bool, mode: Mode) -> None:
    found = opened(one, mode, local=local)
    assert (found.shared, found.settings) == (False, {})


@pytest.mark.parametrize(
    ("one", "mode", "run_id", "owns", "alone"),
    [
        (SOLO, "online", "r1-a0", True, False),
        (PRIMARY, "online", "r1-a0", True, False),
        (PRIMARY_RANK, "online", "r1-a0", True, False),
        (SECONDARY, "online", "r1-a0", False, False),
        (JOIN, "online", "r1-top", False, False),
        (SOLO, "offline", "r1-a0", True, False),
        (PRIMARY, "offline", "r1-a0", True, False),
        (PRIMARY_RANK, "offline", "r1-a0", True, True),
        (SECONDARY, "offline", "r1-a0-rank-1", True, True),
        (JOIN, "offline", "r1-top-a0", True, True),
        (SOLO, "disabled", "r1-a0", True, False),
        (PRIMARY, "disabled", "r1-a0", True, False),
        (PRIMARY_RANK, "disabled", "r1-a0", True, False),
        (SECONDARY, "disabled", "r1-a0", False, False),
        (JOIN, "disabled", "r1-top", False, False),
    ],
)
def test_each_writer_of_a_remote_run(one: Request, mode: Mode, run_id: str, owns: bool, alone: bool) -> None:
    found = opened(one, mode)
    assert (found.run_id, "resume" in found.arguments, found.alone) == (run_id, owns, alone)


@pytest.mark.parametrize(
    ("one", "run_id"), [(SOLO, "r1-a0"), (PRIMARY, "r1-a0"), (PRIMARY_RANK, "r1-a0"), (JOIN, "r1-top")]
)
@pytest.mark.parametrize("mode", MODES)
def test_a_local_run_is_shared_as_an_object_and_nobody_is_alone(one: Request, run_id: str, mode: Mode) -> None:
    """Whoever comes goes on with the run: it may have ended by now."""
    found = opened(one, mode, local=True)
    assert (found.run_id, found.arguments["resume"], found.alone) == (run_id, "allow", False)


@pytest.mark.parametrize(
    ("one", "joins"), [(SOLO, None), (PRIMARY, None), (PRIMARY_RANK, None), (SECONDARY, None), (JOIN, "r1-top")]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("local", [True, False])
def test_only_a_child_borrows_a_run_that_is_open_in_its_process(
    one: Request, joins: str | None, mode: Mode, local: bool
) -> None:
    assert opened(one, mode, local=local).joins == joins


WHOLE: dict[str, Any] = {
    "project": "vision",
    "entity": "us",
    "name": "first",
    "tags": ["a"],
    "config": {"lr": [0.1]},
    "group": "ours",
    "notes": "n",
    "job_type": "train",
    "save_code": False,
}


@pytest.mark.parametrize(
    ("one", "mode", "arguments"),
    [
        (asked(), "online", {"name": "a0 r1", "resume": "allow"}),
        (asked(), "disabled", {"name": "a0 r1", "resume": "allow"}),
        (asked(resume="must"), "online", {"name": "a0 r1", "resume": "must"}),
        (asked(mode="offline"), "offline", {"mode": "offline", "name": "a0 r1", "resume": "allow", "group": "r1-a0"}),
        (
            asked(**WHOLE),
            "online",
            {
                "project": "vision",
                "entity": "us",
                "name": "first",
                "tags": ("a",),
                "config": {"lr": (0.1,)},
                "group": "ours",
                "notes": "n",
                "job_type": "train",
                "save_code": False,
                "resume": "allow",
            },
        ),
        (
            asked(RANK_1, run_mode="new", project="vision"),
            "online",
            {"project": "vision", "group": "r1-a0", "name": "a0 r1 rank-1", "resume": "allow"},
        ),
        (
            asked(RANK_1, run_mode="shared", **WHOLE),
            "online",
            {"project": "vision", "entity": "us", "save_code": False},
        ),
        (
            asked(parent=ABOVE, **WHOLE),
            "online",
            {"project": "theirs", "entity": "team", "config": {"lr": (0.1,)}, "save_code": False},
        ),
        (asked(parent=BARE), "online", {}),
    ],
)
def test_the_arguments_of_wandb_init(one: Request, mode: Mode, arguments: dict[str, Any]) -> None:
    assert opened(one, mode).arguments == arguments


def test_a_rank_that_joins_reads_the_configuration_that_the_owner_sends() -> None:
    joining = opened(asked(RANK_1, run_mode="shared", **WHOLE), "online")
    assert (joining.secondary, joining.config_of_owner) == (True, {"lr": (0.1,)})
    owner = opened(asked(RANK_0, run_mode="shared", **WHOLE), "online")
    assert (owner.secondary, owner.config_of_owner) == (False, {})


@pytest.mark.parametrize(
    ("one", "group"),
    [
        (asked(RANK_0, run_mode="shared"), "r1-a0"),
        (asked(RANK_1, run_mode="shared"), "r1-a0"),
        (asked(RANK_1, run_mode="shared", group="ours"), "ours"),
        (asked(parent=BARE), "r1-top"),
        (asked(parent=ABOVE), "g"),
        (asked(), "r1-a0"),
    ],
)
def test_offline_the_writers_of_one_run_meet_in_one_group(one: Request, group: str) -> None:
    assert opened(one, "offline").arguments["group"] == group


@pytest.mark.parametrize("one", [PRIMARY_RANK, SECONDARY, JOIN])
def test_offline_a_writer_on_its_own_keeps_its_name_and_continues_its_run_in_a_retry(one: Request) -> None:
    named = asked(one.topology, one.parent, run_mode=one.settings.run_mode, name="first", tags=["a"], notes="n")
    found = opened(named, "offline").arguments
    assert {key: found.get(key) for key in ("name", "tags", "notes", "resume")} == {
        "name": "first",
        "tags": ("a",),
        "notes": "n",
        "resume": "allow",
    }


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            asked(project="p", entity="e", host="https://a.example"),
            Place(project="p", entity="e", host="https://a.example"),
        ),
        (asked(), Place(project=None, entity=None, host=None)),
        (
            asked(parent=ABOVE, project="p", entity="e", host="https://a.example"),
            Place(project="theirs", entity="team", host="https://wandb.example.com"),
        ),
        (asked(parent=ABOVE, run_mode="new", project="p"), Place(project="p", entity=None, host=None)),
        (asked(parent=BARE), Place(project=None, entity=None, host=None)),
        (asked(RANK_1, run_mode="shared", project="p"), Place(project="p", entity=None, host=None)),
    ],
)
def test_who_joins_a_run_does_so_in_the_project_that_keeps_it(one: Request, expected: Place) -> None:
    assert run_place(one, planned(one)) == expected
    assert opened(one, "online").host == expected.host


@pytest.mark.parametrize(
    ("one", "mode", "rewinds"),
    [
        (SOLO, "online", True),
        (PRIMARY_RANK, "online", True),
        (SECONDARY, "online", False),
        (SECONDARY, "offline", True),
        (JOIN, "online", False),
        (JOIN, "offline", True),
    ],
)
def test_nobody_takes_rows_out_of_somebody_elses_run(one: Request, mode: Mode, rewinds: bool) -> None:
    assert build_opening(planned(one), one, mode=mode, rewind=5).rewind == (5 if rewinds else None)


@pytest.mark.parametrize(
    ("topology", "label"),
    [
        (launched(4)[0], "rank-0"),
        (launched(4)[3], "rank-3"),
        (launched(1)[0], "rank-0"),
        (launched(2, 2)[3], "worker-1-rank-1"),
        (launched(6, 4)[6], "worker-1-rank-0"),
    ],
)
def test_a_rank_is_labelled_by_its_place(topology: Topology, label: str) -> None:
    assert rank_label(topology) == label
    assert writer_label(request(topology)) == label


def test_a_plain_task_is_labelled_by_its_action() -> None:
    assert writer_label(request()) == "a0"


def test_labels_are_distinct_in_a_ragged_world() -> None:
    assert len({rank_label(topology) for topology in launched(6, 4)}) == 10


@pytest.mark.parametrize(
    ("one", "mode", "named"),
    [
        (SOLO, "online", True),
        (PRIMARY_RANK, "online", True),
        (SECONDARY, "online", False),
        (SECONDARY, "offline", True),
        (JOIN, "online", False),
        (JOIN, "offline", True),
    ],
)
def test_who_has_a_run_of_its_own_names_its_action_there(one: Request, mode: Mode, named: bool) -> None:
    found = build_opening(planned(one), one, mode=mode, added=Contribution(identity={"flyte": {"run": "r1"}}))
    above = {"flyte_parent_run_id": "r1-top"} if one is JOIN else {}
    assert found.arguments.get("config") == ({"flyte": {"run": "r1"}, **above} if named else None)
