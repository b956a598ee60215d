"""Opening a run that exists already."""

from __future__ import annotations

from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask
from tests.double.writers import writer


def open_run(resume: Any = None, **options: Any) -> wandb.Run:
    return wandb.init(id="run1", project="p", reinit="create_new", resume=resume, **options)


def first_attempt() -> None:
    run = open_run(config={"lr": 1, "kept": 1})
    run.log({"loss": 3.0})
    run.log({"loss": 2.0})
    run.write_logs("one\n")
    run.finish(exit_code=1)


@pytest.mark.parametrize("resume", ["allow", "must"])
def test_a_resumed_run_continues(server: WandbServer, resume: str) -> None:
    first_attempt()
    run = open_run(resume, config={"lr": 2})
    assert (run.resumed, run.starting_step) == (True, 2)
    assert (server.run("run1").state, server.run("run1").exit_code) == ("running", None)
    run.log({"loss": 1.0})
    run.write_logs("two\n")
    run.finish()

    record = server.run("run1")
    assert (record.state, record.resumed, record.restarted) == ("finished", 1, 0)
    assert [(row["_step"], row["loss"]) for row in record.history] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert record.config == {"lr": 2, "kept": 1}
    assert record.console == "one\ntwo\n"
    assert [(one.rows, one.completed) for one in record.writers] == [(2, True), (1, True)]


def test_allow_opens_a_run_that_is_new(server: WandbServer) -> None:
    run = open_run("allow")
    assert (run.resumed, run.starting_step) == (False, 0)
    run.finish()
    assert server.run("run1").resumed == 0


def test_a_run_without_rows_is_resumed_at_step_0(server: WandbServer) -> None:
    open_run().finish()
    run = open_run("allow")
    assert (run.resumed, run.starting_step) == (True, 0)
    run.finish()


def test_a_repeated_request_resumes_once(server: WandbServer) -> None:
    first_attempt()
    status = ask(server, "query RunResumeStatus { model }", project="p", name="run1")
    ticket = status["data"]["model"]["bucket"]["id"]
    for _ in range(2):
        ask(server, "mutation UpsertBucket { upsertBucket }", project="p", name="run1", id=ticket)
    assert server.run("run1").resumed == 1


def test_must_fails_on_a_missing_run(server: WandbServer) -> None:
    with pytest.raises(wandb.errors.UsageError, match="has not been initialized"):
        open_run("must")
    assert server.runs == ()


def test_never_fails_on_an_existing_run_and_leaves_it_alone(server: WandbServer) -> None:
    first_attempt()
    before = server.run("run1")
    with pytest.raises(wandb.errors.UsageError, match="already exists"):
        open_run("never")
    assert server.run("run1") == before
    wandb.teardown()
    open_run().finish()
    assert (server.run("run1").resumed, server.run("run1").restarted) == (0, 1)


def test_a_run_that_is_opened_again_without_resuming_keeps_its_data(server: WandbServer) -> None:
    first_attempt()
    run = open_run()
    assert (run.resumed, run.starting_step) == (False, 0)
    record = server.run("run1")
    assert (record.state, record.exit_code, record.logged("loss"), record.summary) == (
        "running",
        None,
        [3.0, 2.0],
        {"loss": 2.0},
    )
    run.log({"loss": 9.0})
    run.finish()
    record = server.run("run1")
    assert (record.state, record.resumed, record.restarted, record.overwritten) == ("finished", 0, 1, 1)
    assert record.logged("loss") == [9.0, 2.0]
    assert record.console == "one\n"


def test_updates_of_an_open_run_are_no_openings(server: WandbServer) -> None:
    first_attempt()
    run = open_run("allow")
    run.tags = ("late",)
    run.config["late"] = 1
    run.notes = "later"
    run.finish()
    record = server.run("run1")
    assert (record.tags, record.notes, record.config["late"]) == (("late",), "later", 1)
    assert (record.resumed, record.restarted, len(record.writers)) == (1, 0, 2)


def test_a_late_update_does_not_reopen_a_run(server: WandbServer) -> None:
    with writer("run1", settings={"x_update_finish_state": False}) as late:
        assert late.opened == (False, 0)
        first_attempt()
        late.do("run.tags += ('late',); run.config.update({'late': 1}); run.finish()")
    record = server.run("run1")
    assert (record.tags, record.config["late"]) == (("late",), 1)
    assert (record.state, record.exit_code, record.restarted) == ("failed", 1, 1)


def test_a_run_is_taken_back_to_a_step(server: WandbServer) -> None:
    rows = [{"loss": 3.0}, {"_step": 5, "loss": 2.0}, {"_step": 9, "loss": 1.0}]
    server.put_run("run1", project="p", state="failed", config={"lr": 1, "kept": 1}, history=rows)
    for step, losses in [(9, [3.0, 2.0, 1.0]), (7, [3.0, 2.0])]:
        run = wandb.init(project="p", resume_from=f"run1?_step={step}", reinit="create_new", config={"lr": 2})
        assert run.starting_step == step + 1
        assert (server.run("run1").state, server.run("run1").logged("loss")) == ("running", losses)
        run.log({"loss": 0.5})
        run.finish()
    record = server.run("run1")
    assert [(row["_step"], row["loss"]) for row in record.history] == [(0, 3.0), (5, 2.0), (8, 0.5)]
    assert (record.state, record.resumed, record.restarted) == ("finished", 2, 0)
    assert record.config == {"lr": 2, "kept": 1}
    with pytest.raises(wandb.errors.CommError, match="there is no run local/p/run2 to rewind"):
        wandb.init(project="p", resume_from="run2?_step=0")
