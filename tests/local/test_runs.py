"""Parents, children and siblings in Flyte's local mode, asserted on the log that the real wandb client wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path

import flyte
import pytest
import wandb

from flyte_wandb import get_wandb_run, wandb_config, wandb_init
from tests.conftest import LocalRun, own_config
from tests.current import this_run
from tests.offline import by_id, logs
from tests.remote import run_action

env = flyte.TaskEnvironment(name="runs")


def action_id() -> str:
    context = flyte.ctx()
    assert context
    return f"{context.action.run_name}-{context.action.name}"


@wandb_init
@env.task
async def auto_child(x: int) -> tuple[str, int]:
    run = this_run()
    run.log({"child": x})
    return run.id, id(run)


@wandb_init(run_mode="new")
@env.task
async def new_child(x: int) -> tuple[str, str]:
    run = this_run()
    run.log({"child": x})
    return run.id, action_id()


@wandb_init(run_mode="shared", config={"shared": True})
@env.task
def shared_child(x: int) -> tuple[str, int]:
    run = this_run()
    run.log({"child": x})
    return run.id, id(run)


@wandb_init(project="theirs", entity="team")
@env.task
def hands_on() -> dict[str, str]:
    return dict(flyte.get_custom_context())


@pytest.mark.usefixtures("offline")
def test_a_child_that_runs_elsewhere_writes_to_project_and_entity_of_its_parent(tmp_path: Path) -> None:
    context = asyncio.run(run_action(hands_on, folder=tmp_path))
    asyncio.run(run_action(auto_child, folder=tmp_path, name="a1", context=context, x=7))
    places = {run_id: (log.entity, log.project) for run_id, log in by_id(tmp_path).items()}
    # Offline a joiner keeps a run of its own, which W&B is given where the parent's is.
    assert places == {"r1-a0": ("team", "theirs"), "r1-a0-a1": ("team", "theirs")}


@env.task
def untracked() -> bool:
    return get_wandb_run() is None


@env.task
async def passes_on(x: int) -> str:
    run_id, _ = await auto_child(x)
    return run_id


@wandb_init(project="vision", tags=["a", "b"], config={"lr": 0.1})
@env.task
async def parent(n: int) -> tuple[str, int]:
    run = this_run()
    run.log({"parent": n})
    children = await asyncio.gather(*(auto_child(x) for x in range(n)))
    assert children == [(run.id, id(run))] * n
    assert await shared_child.aio(7) == (run.id, id(run))
    assert await untracked.aio()
    assert await passes_on(8) == run.id
    return run.id, len(children)


@pytest.mark.usefixtures("offline")
def test_auto_and_shared_children_write_to_the_very_run_of_their_parent(run_local: LocalRun, tmp_path: Path) -> None:
    run_id, _ = run_local(parent, 2)
    found = by_id(tmp_path)
    assert list(found) == [run_id]
    run = found[run_id]
    assert run_id.startswith("r1-")
    assert (run.project, run.tags, run.group, run.exit_code) == ("vision", ["a", "b"], "", 0)
    assert own_config(run) == {"lr": 0.1, "shared": True}
    assert run.logged("parent") == [2]
    assert sorted(run.logged("child")) == [0, 1, 7, 8]


@wandb_init
@env.task
async def parent_of_new() -> tuple[str, list[str]]:
    children = await asyncio.gather(*(new_child(x) for x in range(3)))
    assert [run_id for run_id, _ in children] == [expected for _, expected in children]
    return this_run().id, [run_id for run_id, _ in children]


@pytest.mark.usefixtures("offline")
def test_new_children_have_runs_of_their_own_named_after_their_actions(run_local: LocalRun, tmp_path: Path) -> None:
    run_id, children = run_local(parent_of_new)
    found = by_id(tmp_path)
    assert set(found) == {run_id, *children}
    assert [found[child].logged("child") for child in children] == [[0], [1], [2]]
    assert {log.exit_code for log in found.values()} == {0}


@wandb_init
@env.task
async def sibling(x: int) -> tuple[str, bool]:
    run = this_run()
    for step in range(5):
        run.log({"x": x, "at": step})
        await asyncio.sleep(0)
    return run.id, get_wandb_run() is run


@env.task
async def untracked_root(n: int) -> list[tuple[str, bool]]:
    return list(await asyncio.gather(*(sibling(x) for x in range(n))))


@pytest.mark.usefixtures("offline")
def test_siblings_below_an_untracked_task_never_see_each_others_run(run_local: LocalRun, tmp_path: Path) -> None:
    results = run_local(untracked_root, 4)
    found = by_id(tmp_path)
    assert all(same for _, same in results)
    assert {run_id: found[run_id].logged("x") for run_id, _ in results} == {
        run_id: [x] * 5 for x, (run_id, _) in enumerate(results)
    }


@wandb_init
@env.task
def root_sync() -> str:
    shared_child(1)
    return this_run().id


@pytest.mark.usefixtures("offline")
def test_sync_tasks_behave_like_async_ones(run_local: LocalRun, tmp_path: Path) -> None:
    run_id = run_local(root_sync)
    assert by_id(tmp_path)[run_id].logged("child") == [1]


@pytest.mark.usefixtures("offline")
def test_a_shared_task_without_a_parent_is_refused_before_its_body(run_local: LocalRun, tmp_path: Path) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="no action above this one is tracked"):
        run_local(shared_child, 1)
    assert logs(tmp_path) == []


@wandb_init(joinable=False)
@env.task
async def closed_parent(shared: bool) -> tuple[str, str]:
    child, _ = await (shared_child.aio(1) if shared else auto_child(1))
    return this_run().id, child


@pytest.mark.usefixtures("offline")
def test_an_auto_child_of_a_closed_parent_gets_its_own_run_in_the_parents_group(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, child = run_local(closed_parent, False)
    found = by_id(tmp_path)
    assert child != run_id
    assert found[child].group == run_id
    assert [message for message in caplog.messages if "joinable=False" in message] == [
        f"the parent's run '{run_id}' was opened with joinable=False, so '{child.removeprefix('r1-')}' opens its own "
        f"run '{child}' in the group '{run_id}'"
    ]


@pytest.mark.usefixtures("offline")
def test_a_shared_child_of_a_closed_parent_is_an_error_that_names_joinable(run_local: LocalRun) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match="joinable=False"):
        run_local(closed_parent, True)


@pytest.mark.usefixtures("offline")
def test_context_reaches_children_and_a_decorator_does_not(run_local: LocalRun, tmp_path: Path) -> None:
    context = wandb_config(entity="team", tags=["outer"], config={"from": "context"})
    run_id, children = run_local(parent_with_settings, context=context)
    found = by_id(tmp_path)
    assert (found[run_id].project, found[run_id].entity, found[run_id].tags) == ("mine", "team", ["own"])
    assert own_config(found[run_id]) == {"from": "context"}
    for child, project in zip(children, ["", "inner"], strict=True):
        assert found[child].project.replace("uncategorized", "") == project
        assert (found[child].entity, found[child].tags) == ("team", ["outer"])


@wandb_init(project="mine", tags=["own"])
@env.task
async def parent_with_settings() -> tuple[str, list[str]]:
    first, _ = await new_child(1)
    with wandb_config(project="inner"):
        second, _ = await new_child(2)
    return this_run().id, [first, second]


@wandb_init(id="resnet")
@env.task
async def named_parent() -> str:
    assert this_run().id == "resnet"
    (run_id, _), (own, action) = await auto_child(1), await new_child(1)
    assert (run_id, own) == ("resnet", action)
    return this_run().id


@pytest.mark.usefixtures("offline")
def test_an_id_in_a_decorator_names_its_task_only(run_local: LocalRun, tmp_path: Path) -> None:
    run_local(named_parent)
    assert "resnet" in by_id(tmp_path)
    assert len(by_id(tmp_path)) == 2


@wandb_init
@env.task
async def parent_of_map() -> tuple[str, list[str]]:
    children = [child async for child in flyte.map.aio(new_child, range(3))]
    return this_run().id, [child[0] for child in children if not isinstance(child, Exception)]


@pytest.mark.usefixtures("offline")
def test_an_id_in_the_context_names_the_first_action_and_starts_the_names_below(
    run_local: LocalRun, tmp_path: Path
) -> None:
    run_id, mapped = run_local(parent_of_map, context=wandb_config(id="exp"))
    assert run_id == "exp"
    assert len(set(mapped)) == 3
    assert all(name.startswith("exp-") and len(name) > 10 for name in mapped)
    assert set(by_id(tmp_path)) == {"exp", *mapped}


@wandb_init(id="one")
@env.task
async def same_id(x: int) -> int:
    await asyncio.sleep(0)
    return x


@env.task
async def two_of_one_id() -> list[str]:
    results = await asyncio.gather(same_id(1), same_id(2), return_exceptions=True)
    return sorted(type(result).__name__ + ": " + str(result) for result in results)


@pytest.mark.usefixtures("offline")
def test_two_actions_that_ask_for_one_id_at_once_are_told_so(run_local: LocalRun, tmp_path: Path) -> None:
    failure, success = run_local(two_of_one_id)
    assert success in ("int: 1", "int: 2")
    assert "the run id 'one' of action" in failure
    assert "is in use by action" in failure
    assert [log.exit_code for log in logs(tmp_path)] == [0]


@wandb_init
@env.task
def uses_globals() -> list[bool]:
    run = get_wandb_run()
    wandb.log({"global": 1})
    return [wandb.run is run]


@pytest.mark.usefixtures("offline")
def test_wandb_run_and_log_follow_the_only_open_run(run_local: LocalRun, tmp_path: Path) -> None:
    assert run_local(uses_globals) == [True]
    assert wandb.run is None
    assert [log.logged("global") for log in logs(tmp_path)] == [[1]]


@wandb_init(run_mode="new")
@env.task
async def globals_unset() -> bool:
    return wandb.run is None


@wandb_init
@env.task
async def two_open() -> list[bool]:
    run = get_wandb_run()
    return [wandb.run is run, await globals_unset(), wandb.run is run]


@pytest.mark.usefixtures("offline")
def test_with_several_runs_open_the_globals_are_unset_and_come_back(
    run_local: LocalRun, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_local(two_open) == [True, True, True]
    assert [message for message in caplog.messages if "several runs are open" in message] == [
        "several runs are open in this process, so wandb.run and wandb.log are unset; use get_wandb_run()"
    ]


@pytest.mark.usefixtures("offline")
def test_a_run_that_the_user_has_open_is_the_global_one_again_afterwards(run_local: LocalRun) -> None:
    with wandb.init(project="mine", mode="offline") as mine:
        assert run_local(uses_globals) == [True]
        assert wandb.run is mine


@pytest.mark.usefixtures("clean_client")
def test_disabled_runs_leave_nothing_on_disk(
    run_local: LocalRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert run_local(parent, 1)[1] == 1
    assert logs(tmp_path) == []


@wandb_init
@env.task
def never_runs() -> None:
    raise AssertionError("the body ran")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("context", "words"),
    [
        (wandb_config(run_mode="nope"), r"run_mode 'nope'.* known run_modes: auto \(builtin\), new \(builtin\)"),
        (wandb_config(rank_scope="nope"), r"rank_scope 'nope'.* known rank_scopes: global \(builtin\), worker"),
        ({"wandb_tags": "not json"}, r"wandb_tags='not json' in Flyte's context: .*wandb_config\(tags=\.\.\.\)"),
        ({"wandb_id": "a/b"}, r"wandb_id='a/b' in Flyte's context: a run id must not contain '/'"),
    ],
)
def test_a_setting_in_the_context_that_cannot_be_used_stops_the_task_before_its_body(
    context: dict[str, str], words: str, run_local: LocalRun, tmp_path: Path
) -> None:
    with pytest.raises(flyte.errors.RuntimeUserError, match=words):
        run_local(never_runs, context=context)
    assert logs(tmp_path) == []


@pytest.mark.usefixtures("offline")
def test_a_key_that_nobody_knows_is_ignored_with_one_warning(
    run_local: LocalRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_local(parent_of_new, context={"wandb_modle": "x", "wandb_sweep_id": "s"})
    assert len(logs(tmp_path)) == 4
    assert [message for message in caplog.messages if "is ignored" in message] == [
        "the key 'wandb_modle' in Flyte's context is not a setting of flyte-wandb and is ignored"
    ]
