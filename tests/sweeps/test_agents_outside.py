"""W&B's own agent, outside of Flyte, runs functions and programs that call `flyte.run`: the first tracked task is the
trial.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flyte
import pytest
import wandb

from flyte_wandb import Request, Trial, wandb_init
from flyte_wandb.runs._agent_trial import AgentTrials
from flyte_wandb.testing import RunRecord, WandbServer
from tests.checkout import process_environ
from tests.conftest import LocalRun
from tests.current import this_run
from tests.programs import run_python
from tests.sweeps.trials import begun_trials

env = flyte.TaskEnvironment(name="agents_outside")
pytestmark = pytest.mark.usefixtures("quick_agents")
GRID: Any = {"method": "grid", "parameters": {"x": {"values": [1, 2]}}}
ATTEMPTS: list[int] = []


@wandb_init
@env.task
async def child(x: int) -> str:
    this_run().log({"child": x})
    return str(this_run().id)


@wandb_init(project="elsewhere", tags=["trial"])
@env.task(retries=1)
async def train(fails: bool) -> str:
    run = this_run()
    run.log({"loss": run.config.x})
    ATTEMPTS.append(run.config.x)
    assert await child(run.config.x) == run.id
    if fails or ATTEMPTS.count(run.config.x) == 1:
        raise ValueError("diverged")
    return str(run.id)


@wandb_init(tags=["sibling"], config={"of": "sibling"})
@env.task
async def evaluate(fails: bool = False) -> str:
    this_run().log({"accuracy": 1})
    if fails:
        raise ValueError("no data")
    return str(this_run().id)


@env.task
async def trains_and_evaluates(fails: bool) -> str:
    try:
        return await train(fails)
    finally:
        await evaluate()


@env.task
async def side_by_side() -> list[str]:
    calls: Any = [child.aio(number) for number in range(4)]
    return list(await asyncio.gather(*calls))


@env.task
async def fails_to_evaluate() -> None:
    await child(1)
    await evaluate(fails=True)


def run_agent(server: WandbServer, function: Callable[[], Any], count: int = 1) -> list[RunRecord]:
    """Have W&B's agent do trials, and return their runs, beside which there are none."""
    ATTEMPTS.clear()

    def objective() -> None:
        try:
            function()
        except flyte.errors.RuntimeUserError as error:  # which W&B's agent would show to nobody
            ENDS.append(str(error))

    ENDS.clear()
    sweep_id = wandb.sweep(GRID, project="vision")
    wandb.agent(sweep_id, project="vision", function=objective, count=count)
    runs = begun_trials(server, server.sweeps[0])
    assert len([run for run in server.runs if run.state != "pending"]) == len(runs) == count
    assert {(run.project, run.sweep) for run in runs} == {("vision", sweep_id)}
    return runs


ENDS: list[str] = []


@pytest.mark.parametrize("fails", [False, True])
def test_a_task_is_the_trial_with_its_retries_and_outcome_and_its_children_join_it(
    fails: bool, online: WandbServer, run_local: LocalRun
) -> None:
    found: list[str] = []
    runs = run_agent(online, lambda: found.append(run_local(train, fails)), count=2)
    assert [(run.state, run.exit_code) for run in runs] == [("failed", 1) if fails else ("finished", 0)] * 2
    assert [(run.config["x"], run.logged("loss"), run.logged("child")) for run in runs] == [
        (x, [x, x], [x, x]) for x in (1, 2)
    ]
    assert found == ([] if fails else [run.id for run in runs])
    assert ["diverged"] * 2 * fails == ENDS


@pytest.mark.parametrize("fails", [False, True])
def test_a_task_after_the_trial_goes_on_with_its_run_and_leaves_a_failed_one_failed(
    fails: bool, online: WandbServer, run_local: LocalRun
) -> None:
    (run,) = run_agent(online, lambda: run_local(trains_and_evaluates, fails))
    assert (run.state, run.exit_code) == (("failed", 1) if fails else ("finished", 0))
    assert (run.logged("loss"), run.logged("accuracy"), run.restarted) == ([1, 1], [1], 0)
    assert (run.tags, run.config["of"], run.config["flyte"]["task"]) == (
        ("trial", "attempt-2"),
        "sibling",
        "agents_outside.train",
    )


def test_a_task_after_the_trial_that_fails_makes_it_a_failed_one(online: WandbServer, run_local: LocalRun) -> None:
    (run,) = run_agent(online, lambda: run_local(fails_to_evaluate))
    assert (run.state, run.logged("accuracy"), ENDS) == ("failed", [1], ["no data"])
    assert [told for key, told in run.summary.items() if key.startswith("failed/")] == ["ValueError: no data"]


def test_tasks_side_by_side_share_the_run_of_the_first(online: WandbServer, run_local: LocalRun) -> None:
    found: list[list[str]] = []
    (run,) = run_agent(online, lambda: found.append(run_local(side_by_side)))
    assert found == [[run.id] * 4]
    assert (run.state, sorted(run.logged("child")), run.restarted) == ("finished", [0, 1, 2, 3], 0)


@wandb_init
def decorated(run_local: LocalRun) -> None:
    this_run().log({"fold": 0})
    for fold in (1, 2):
        assert run_local(child, fold) == this_run().id


def test_flyte_runs_in_a_decorated_function_join_its_run(online: WandbServer, run_local: LocalRun) -> None:
    (run,) = run_agent(online, lambda: decorated(run_local))
    assert (run.state, run.logged("fold"), run.logged("child"), run.restarted) == ("finished", [0], [1, 2], 0)


def test_flyte_runs_of_one_name_in_one_trial_do_too(online: WandbServer, run_local: LocalRun) -> None:
    (run,) = run_agent(online, lambda: [run_local(child, fold) for fold in (1, 2)])
    assert (run.state, run.logged("child"), run.restarted) == ("finished", [1, 2], 0)


def test_a_child_waits_for_the_run_of_its_trial() -> None:
    """Else it could open the run itself, without what the trial says of it."""
    trials, order = AgentTrials(), []
    trial = Trial(run_id="t1", sweep_id="s1")
    first, second = (trials.place(Request(run_name="r1", action_name=name), trial) for name in ("a1", "a2"))
    assert (first.trial, second.trial, second.parent and second.parent.run_id) == (trial, None, "t1")
    assert trials._claim

    def join() -> None:
        trials.wait_for_run(second)
        order.append("joined")

    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    while thread.is_alive() and not trials._claim.opened._cond._waiters:  # type: ignore[attr-defined]
        time.sleep(0)
    order.append("opened")
    trials.settle(first)
    thread.join(20)
    assert order == ["opened", "joined"]


@wandb_init(run_mode="shared")
@env.task
async def refused() -> None:
    """A trial has no parent whose run it could share."""


@env.task
async def one_after_a_refused_one() -> None:
    with contextlib.suppress(flyte.errors.RuntimeUserError):
        await refused()
    await child(1)


def test_a_child_of_a_trial_that_is_refused_does_not_wait_for_it(online: WandbServer, run_local: LocalRun) -> None:
    (run,) = run_agent(online, lambda: run_local(one_after_a_refused_one))
    assert (run.state, run.logged("child")) == ("finished", [1])


@wandb_init(run_mode="new")
@env.task
async def wants_its_own() -> None:
    this_run()


@env.task
async def one_beside_another() -> None:
    await child(1)
    await wants_its_own()


def test_a_run_of_its_own_beside_the_trial_is_refused_with_a_reason(online: WandbServer, run_local: LocalRun) -> None:
    (run,) = run_agent(online, lambda: run_local(one_beside_another))
    (message,) = ENDS
    assert message.endswith(
        f"it returned the run {run.id!r} instead, as it does for all runs of a process with WANDB_SWEEP_ID; use "
        "run_mode='auto', so that tasks join the trial's run"
    )


PROGRAM = """
import subprocess, sys
from pathlib import Path
import flyte
from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="e")


@wandb_init
@env.task
def train(x: int) -> None:
    run = get_wandb_run()
    assert run.config.x == x
    run.log({"loss": x})
    assert x == 1, "diverged"


if __name__ == "__main__" and sys.argv[1] == "--x=1":
    flyte.init()
    flyte.with_runcontext(mode="local").run(train, x=1)
elif __name__ == "__main__":
    command = Path(sys.executable).with_name("flyte")
    sys.exit(subprocess.call([command, "run", "--local", __file__, "train", *sys.argv[1:]]))
"""
AGENT = """
from wandb import wandb_agent
from wandb.cli.cli import cli

wandb_agent.Agent.POLL_INTERVAL = 0.1  # seconds between two looks at its child
cli()
"""


def test_a_program_of_the_command_wandb_agent_or_its_child_runs_the_trial(online: WandbServer, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    command = [sys.executable, "${program}", "${args}"]
    sweep_id = wandb.sweep({**GRID, "program": "train.py", "command": command}, project="vision")
    environ = process_environ(tmp_path, {**online.environ, "WANDB_DIR": str(tmp_path)})
    words = ("-c", AGENT, "agent", "--count", "2", "--project", "vision", sweep_id)
    result = run_python(*words, folder=tmp_path, environ=environ)
    assert result.returncode == 0, result.stderr
    assert [(run.id, run.state, run.logged("loss"), run.config["x"], run.sweep) for run in online.runs] == [
        ("sweep1-trial1", "finished", [1], 1, sweep_id),
        ("sweep1-trial2", "failed", [2], 2, sweep_id),
    ]
