"""Every argument of `wandb.init` that is accepted opens a run: of a function, a task, a rank, and another attempt."""

from __future__ import annotations

import inspect
from pathlib import Path

import flyte
import pytest
import wandb

from flyte_wandb import wandb_init
from flyte_wandb.settings._schema import FIELDS, OWN_FIELDS
from flyte_wandb.testing import WandbServer, run_container, run_ranks
from tests.conftest import LocalRun
from tests.current import this_run
from tests.faults.acting import QUICK
from tests.faults.argument_tasks import ARGUMENTS, argument_of, opens_each_run, opens_each_run_of_its_rank

env = flyte.TaskEnvironment(name="arguments")
FAILURES: list[BaseException] = []


def test_the_table_has_every_argument() -> None:
    theirs = set(inspect.signature(wandb.init).parameters)
    assert set(ARGUMENTS) == theirs & set(FIELDS)
    assert set(FIELDS) - set(OWN_FIELDS) <= set(ARGUMENTS)


def log_and_fail() -> str:
    run = this_run()
    run.log({"x": 1})
    if FAILURES:
        raise FAILURES.pop()
    return run.id


def log_a_run_to_start_from() -> None:
    with wandb.init(project="vision", entity="team", id="base") as base:
        for row in range(3):
            base.log({"row": row})


@pytest.mark.parametrize("name", ARGUMENTS)
def test_it_opens_the_run_of_a_function_a_task_and_another_attempt(
    name: str, online: WandbServer, run_local: LocalRun, tmp_path: Path
) -> None:
    (tmp_path / "somewhere").mkdir()
    log_a_run_to_start_from()
    argument = argument_of(name)
    ids = [wandb_init(**argument)(log_and_fail)()]
    FAILURES[:] = [ConnectionError("the node went away")]
    task = wandb_init(**argument)(env.task(retries=1)(log_and_fail))
    ids.append(run_local(task))
    if name == "mode":
        assert [run.id for run in online.runs] == ["base"]
        return
    for run_id in ids:
        (run,) = (run for run in online.runs if run.id == run_id)
        assert (run.state, run.exit_code) == ("finished", 0)
    assert len(run.logged("x")) == (3 if name == "id" else 2), "both attempts, and what had the same id before"


def check_runs(server: WandbServer, ids: dict[str, str], rows: int) -> None:
    """Check that each argument has opened its run, and that all rows of it are there."""
    runs = {run.id: run for run in server.runs}
    opened = {name: run_id for name, run_id in ids.items() if name != "mode"}
    assert {name: run_id for name, run_id in opened.items() if run_id not in runs} == {}
    found = {name: (runs[run_id].state, len(runs[run_id].logged("x"))) for name, run_id in opened.items()}
    assert found == dict.fromkeys(opened, ("finished", rows))
    assert ids["mode"] not in runs, "it is offline"


def test_they_open_runs_in_a_container_and_in_another_attempt_there(online: WandbServer, tmp_path: Path) -> None:
    log_a_run_to_start_from()
    (tmp_path / "somewhere").mkdir()
    for attempt in (1, 2):
        environ = {**online.environ, **QUICK, "FLYTE_ATTEMPT_NUMBER": str(attempt - 1)}
        result = run_container(opens_each_run, folder=tmp_path, environ=environ, label=str(attempt))
        assert (result.exit_code, result.error) == (0, None), result.log
        check_runs(online, result.value, rows=attempt)


REFUSED = {"auto": [], "new": ["resume_from"], "shared": ["resume_from", "fork_from"]}
"""What cannot work for ranks of a run mode, and is refused by name."""


def test_they_open_the_runs_of_ranks(online: WandbServer, tmp_path: Path) -> None:
    log_a_run_to_start_from()
    (tmp_path / "somewhere").mkdir()
    environ = {**online.environ, **QUICK}
    results = run_ranks(opens_each_run_of_its_rank, folder=tmp_path, environ=environ)
    assert [(result.exit_code, result.error) for result in results] == [(0, None)] * 2, results[0].log
    for run_mode, ids in results[0].value.items():
        refused = {name: ids.pop(name) for name in REFUSED[run_mode]}
        assert [text.partition("=")[0] for text in refused.values()] == [f"SettingError: {name}" for name in refused]
        check_runs(online, ids, rows=2 if run_mode == "shared" else 1)
