"""Attempts and restarts: one run that goes on, or one run for each attempt."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import wandb_config, wandb_init
from flyte_wandb.testing import ContainerResult, WandbServer, run_container
from tests.conftest import LocalRun
from tests.current import this_run
from tests.faults import local_tasks, tasks
from tests.faults.acting import QUICK, ROWS, run_outcome
from tests.links.rendering import filled, wire_links
from tests.messages import own_messages
from tests.offline import logs
from tests.remote import run_action


def attempt(
    number: int, server: WandbServer, folder: Path, task: Any = tasks.fails_at_first, **settings: Any
) -> ContainerResult:
    """Run one attempt of an action in a process of its own; Flyte counts them from 0."""
    environ = {**server.environ, **QUICK, "FLYTE_ATTEMPT_NUMBER": str(number - 1)}
    options: dict[str, Any] = {"inputs": {"rows": ROWS}, "context": wandb_config(**settings), "label": str(number)}
    return run_container(task, folder=folder, environ=environ, **options)


def test_a_local_retry_goes_on_with_its_run(quick: WandbServer, run_local: LocalRun) -> None:
    local_tasks.FAILURES.append(ConnectionError("the node went away"))
    run_id = run_local(local_tasks.flaky.override(retries=1), ROWS)
    (record,) = quick.runs
    assert (record.id, record.resumed, record.restarted) == (run_id, 1, 0)
    assert run_outcome(record) == ("finished", 0, [0, 1, 2, 0, 1, 2])
    assert record.tags == ("attempt-2",)
    assert record.config["flyte"]["attempt"] == 2


FORK: dict[str, Any] = {"fork_from": "base?_step=1"}
BACK: dict[str, Any] = {"resume_from": "base?_step=1"}


@pytest.fixture
def base(quick: WandbServer, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """A server that has the run `base`, with steps 0 to 2."""
    monkeypatch.setenv("WANDB_PROJECT", "vision")
    with wandb.init(project="vision", id="base") as run:
        for row in range(ROWS):
            run.log({"row": row})
    wandb.teardown()
    return quick


@pytest.mark.parametrize(("start", "run_id"), [(FORK, None), (BACK, "base")])
def test_a_run_that_starts_at_a_step_is_gone_on_with_by_a_local_retry(
    start: dict[str, Any], run_id: str | None, base: WandbServer, run_local: LocalRun
) -> None:
    local_tasks.FAILURES.append(ConnectionError("the node went away"))
    opened = run_local(local_tasks.flaky.override(retries=1), ROWS, context=wandb_config(**start))
    record = base.run(opened)
    assert run_outcome(record) == ("finished", 0, [0, 1, 0, 1, 2, 0, 1, 2])  # a fork has the rows of its parent, too
    assert [row["_step"] for row in record.history] == list(range(8))
    assert (opened if run_id is None else run_id, record.restarted) == (opened, 0)


@pytest.mark.parametrize("start", [FORK, BACK])
def test_a_run_of_a_container_starts_at_a_step(start: dict[str, Any], base: WandbServer, tmp_path: Path) -> None:
    run_id = asyncio.run(run_action(local_tasks.logs, rows=ROWS, folder=tmp_path, context=wandb_config(**start)))
    assert run_id == ("base" if start is BACK else "r1-a0")
    assert [row["_step"] for row in base.run(run_id).history] == [0, 1, 2, 3, 4]


def test_ranks_with_runs_of_their_own_fork_them_and_a_plain_function_does(
    base: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alone() -> str:
        this_run().log({"row": 0})
        return this_run().id

    run_id = wandb_init(**FORK)(alone)()
    assert [row["_step"] for row in base.run(run_id).history] == [0, 1, 2]
    rank = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    for name, value in (rank | {"TORCHELASTIC_RUN_ID": "job", "TORCHELASTIC_RESTART_COUNT": "0"}).items():
        monkeypatch.setenv(name, value)
    context = wandb_config(run_mode="new", **FORK)
    assert asyncio.run(run_action(local_tasks.logs, rows=1, folder=tmp_path, context=context)) == "r1-a0-rank-1"
    assert [row["_step"] for row in base.run("r1-a0-rank-1").history] == [0, 1, 2]


def test_an_attempt_forks_the_run_that_the_one_before_has_not_opened(
    base: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attempt_here(2, tmp_path, monkeypatch, **FORK) == "r1-a0"
    assert [row["_step"] for row in base.run("r1-a0").history] == [0, 1, 2, 3, 4]


def test_a_local_retry_can_have_a_run_of_its_own(quick: WandbServer, run_local: LocalRun) -> None:
    local_tasks.FAILURES.append(ConnectionError("the node went away"))
    context = wandb_config(on_retry="new", id="exp")
    assert run_local(local_tasks.flaky.override(retries=1), ROWS, context=context) == "exp-attempt-2"
    assert [(record.id, record.group) for record in quick.runs] == [("exp", "exp"), ("exp-attempt-2", "exp")]
    assert [run_outcome(record)[:2] for record in quick.runs] == [("failed", 1), ("finished", 0)]


def test_a_remote_retry_goes_on_with_its_run(server: WandbServer, tmp_path: Path) -> None:
    first, second = (attempt(number, server, tmp_path) for number in (1, 2))
    assert "the node went away" in str(first.error)
    assert second.value == "run1-a0", second.log
    (record,) = server.runs
    assert (record.resumed, record.restarted, record.tags) == (1, 0, ("attempt-2",))
    assert run_outcome(record) == ("finished", 0, [0, 1, 2, 0, 1, 2])
    assert record.config["flyte"]["attempt"] == 2


def test_a_remote_retry_can_have_a_run_of_its_own(base: WandbServer, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"on_retry": "new", "project": "vision", "entity": "local", **FORK}
    values = [attempt(number, base, tmp_path, **settings).value for number in (1, 2)]
    assert values == [None, "run1-a0-attempt-2"]
    _, *records = base.runs
    assert [(record.id, record.group, run_outcome(record)[0]) for record in records] == [
        ("run1-a0", "run1-a0", "failed"),
        ("run1-a0-attempt-2", "run1-a0", "finished"),
    ]
    assert [[row["_step"] for row in record.history] for record in records] == [[0, 1, 2, 3, 4]] * 2


def test_the_link_of_runs_per_attempt_leads_to_their_group(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    context = wandb_config(on_retry="new", project="vision", entity="local")
    (address,) = filled(wire_links(tasks.fails_at_first, context)).values()
    assert address == f"{server.url}/local/vision/groups/run1-a0/workspace"


def attempt_here(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> str | None:
    """Run one attempt of an action in this process; the first one fails."""
    monkeypatch.setenv("FLYTE_ATTEMPT_NUMBER", str(number - 1))
    local_tasks.FAILURES[:] = [ConnectionError("the node went away")] if number == 1 else []
    context = wandb_config(**settings)
    with contextlib.suppress(ConnectionError):
        return str(asyncio.run(run_action(local_tasks.flaky, rows=ROWS, folder=folder, context=context)))
    return None


@pytest.mark.parametrize("can_rewind", [True, False])
def test_a_checkpoint_takes_the_run_back_where_the_server_can(
    can_rewind: bool,
    quick: WandbServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings: dict[str, Any] = {"joinable": False, "checkpoint_step": 0}
    assert attempt_here(1, tmp_path, monkeypatch, **settings) is None
    if not can_rewind:
        quick.fault("RewindRun", status=400, times=None)
    assert attempt_here(2, tmp_path, monkeypatch, **settings) == "r1-a0"
    (record,) = quick.runs
    kept = [0] if can_rewind else [0, 1, 2]
    assert run_outcome(record) == ("finished", 0, [*kept, 0, 1, 2])
    assert [row["_step"] for row in record.history] == list(range(len(kept) + ROWS))
    assert (record.resumed, record.restarted) == (1, 0)
    warned = [message for message in own_messages(caplog) if "continues at its end, not after step 0" in message]
    assert len(warned) == (0 if can_rewind else 1)


@wandb_init
@local_tasks.env.task(retries=1)
async def counts_steps(rows: int) -> str:
    """Log rows with steps from 0 on; the first attempt fails behind the last but one."""
    for step in range(rows):
        this_run().log({"row": 10 * len(TRIES) + step}, step=step)
        if step == rows - 2 and not TRIES:
            TRIES.append(1)
            raise ConnectionError("the node went away")
    return this_run().id


TRIES: list[int] = []


@pytest.mark.parametrize(
    ("retry", "can_rewind", "rows", "says"),
    [
        ("resume", True, [0, 1, 2, 13], "continues at step 3, and W&B drops rows with a smaller step="),
        ("restart", True, [10, 11, 12, 13], None),
        ("restart", False, [10, 11, 12, 13], "rows of the earlier attempt stay until a new row has their step"),
    ],
)
def test_an_attempt_that_counts_from_0_can_start_its_run_over(
    retry: Any,
    can_rewind: bool,
    rows: list[int],
    says: str | None,
    quick: WandbServer,
    run_local: LocalRun,
    caplog: pytest.LogCaptureFixture,
) -> None:
    TRIES.clear()
    if not can_rewind:
        quick.fault("RewindRun", status=400, times=None)
    run_id = run_local(counts_steps, ROWS + 1, context=wandb_config(on_retry=retry))
    (record,) = quick.runs
    assert (record.id, record.state, record.logged("row")) == (run_id, "finished", rows)
    assert record.config["flyte"]["attempt"] == 2
    assert record.tags == ("attempt-2",)
    told = [message for message in own_messages(caplog) if says and says in message]
    assert len(told) == (1 if says else 0)


@pytest.mark.usefixtures("offline")
def test_offline_each_attempt_that_starts_over_has_a_log(run_local: LocalRun, tmp_path: Path) -> None:
    TRIES.clear()
    run_id = run_local(counts_steps, ROWS, context=wandb_config(on_retry="restart"))
    assert [(log.id, log.exit_code, log.logged("row")) for log in logs(tmp_path)] == [
        (run_id, 1, [0, 1]),
        (run_id, 0, [10, 11, 12]),
    ]


def test_a_shared_run_cannot_be_taken_back_and_says_so(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        attempt_here(number, tmp_path, monkeypatch, checkpoint_step=0)
    assert [message for message in own_messages(caplog) if "use joinable=False" in message] != []
    assert run_outcome(quick.run("r1-a0")) == ("finished", 0, [0, 1, 2, 0, 1, 2])
