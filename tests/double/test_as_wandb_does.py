"""What W&B does and a simpler server would not: each is known of its client, its docs or a public issue."""

from __future__ import annotations

from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.agents import OwnAgent
from tests.double.writers import shared, writer

pytestmark = pytest.mark.usefixtures("no_package_list")
SETTINGS: dict[str, Any] = {"x_file_stream_transmit_interval": 1}  # of less than a second W&B's client makes 15


def open_run(run_id: str = "run1", **options: Any) -> wandb.Run:
    return wandb.init(id=run_id, project="p", reinit="create_new", **options)


def write(rows: int = 3, *, config: dict[str, Any] | None = None, start: int = 0) -> None:
    with open_run(config=config) as run:
        for number in range(start, start + rows):
            run.log({"loss": number})
        run.write_logs("".join(f"line {number}\n" for number in range(start, start + rows)))


def test_a_plain_primary_loses_its_earliest_rows_to_shared_writers(server: WandbServer) -> None:
    with writer("run1", settings=SETTINGS) as primary:
        primary.do("[run.log({'a': number}) for number in range(4)]")
        server.wait_for(lambda server: len(server.run("run1").history) == 4)
        with writer("run1", settings=shared("b")) as other:
            other.do("run.log({'b': 1}); run.log({'b': 2}); run.finish()")
        primary.do("run.finish()")
    record = server.run("run1")
    assert [(row["_step"], row.get("a"), row.get("b")) for row in record.history] == [
        (0, None, 1),
        (1, None, 2),
        (2, 2, None),
        (3, 3, None),
    ]
    assert record.overwritten == 2


def test_a_shared_primary_loses_nothing(server: WandbServer) -> None:
    with writer("run1", settings=shared("a", primary=True)) as primary, writer("run1", settings=shared("b")) as other:
        primary.do("run.log({'a': 1})")
        other.do("run.log({'b': 1}); run.finish()")
        primary.do("run.log({'a': 2}); run.finish()")
    record = server.run("run1")
    assert (len(record.history), record.overwritten) == (3, 0)


def test_a_known_id_without_resume_mixes_old_rows_with_new_ones(server: WandbServer) -> None:
    write(rows=3)
    write(rows=1, start=10)
    record = server.run("run1")
    assert [row["loss"] for row in record.history] == [10, 1, 2]
    assert record.console == "line 10\nline 1\nline 2\n"
    assert (record.restarted, record.resumed, record.overwritten, record.summary) == (1, 0, 1, {"loss": 10})


def test_the_config_of_a_plain_writer_takes_the_place_of_the_old_one(server: WandbServer) -> None:
    write(config={"lr": 1, "old": True})
    write(config={"lr": 2})
    assert server.run("run1").config == {"lr": 2}
    with open_run(resume="must", config={"more": 3}):
        pass
    assert server.run("run1").config == {"lr": 2, "more": 3}, "who resumes has merged them"


def test_a_key_that_is_taken_out_of_the_summary_is_gone(server: WandbServer) -> None:
    with open_run(settings=wandb.Settings(**SETTINGS)) as run:
        run.summary["a"], run.summary["b"] = 1, 2
        server.wait_for(lambda server: server.run("run1").summary == {"a": 1, "b": 2})
        summary: Any = run.summary
        del summary["a"]
    assert server.run("run1").summary == {"b": 2}
    with writer("run2", settings=shared("a", primary=True) | SETTINGS) as primary:
        with writer("run2", settings=shared("b")) as other:
            other.do("run.summary['of b'] = 1; run.finish()")
        primary.do("run.summary['a'] = run.summary['b'] = 1")
        server.wait_for(lambda server: "a" in server.run("run2").summary)
        primary.do("del run.summary['a']; run.finish()")
    assert server.run("run2").summary == {"of b": 1, "b": 1}


@pytest.mark.parametrize("silent", [False, True], ids=["ended", "silent"])
def test_a_preempted_trial_is_given_again(silent: bool, server: WandbServer) -> None:
    sweep_id = server.put_sweep({"method": "grid", "parameters": {"x": {"values": [1, 2]}}}, project="p")
    agent, other = OwnAgent(sweep_id), OwnAgent(sweep_id)
    (first,) = agent.ask()
    run_id = first["run_id"]
    with writer(run_id, settings=SETTINGS) as process:
        process.do("run.mark_preempting()")
        server.wait_for(lambda server: server.run(run_id).state == "preempting")
        if silent:
            server.pass_time(301)
        else:
            process.do("run.finish(exit_code=1)")
        assert server.run(run_id).state == "preempted"
        assert other.ask() == [{"type": "resume", "run_id": run_id, "args": {"x": {"value": 1}}}]
        assert server.run(run_id).state == "pending"
    assert [command["args"]["x"]["value"] for command in agent.ask()] == [2]
    with open_run(run_id, resume="allow") as run:
        assert run.resumed
    assert server.run(run_id).state == "finished"
    assert other.ask() == [{"type": "exit"}]


def test_five_minutes_of_silence_are_a_crash(server: WandbServer) -> None:
    with writer("run1", settings={}) as process:
        assert process.opened
        server.slow("file_stream", 600)  # a heartbeat in between would be a word
        server.pass_time(200)  # well below, for the time of this machine passes as well
        assert server.run("run1").state == "running"
        server.pass_time(101)
        assert server.run("run1").state == wandb.Api().run("p/run1").state == "crashed"
        server.heal()
        process.do("run.finish()")
    assert server.run("run1").state == "finished"


def test_who_cancels_a_sweep_kills_its_runs(server: WandbServer) -> None:
    sweep_id = server.put_sweep({"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}}, project="p")
    assert server.sweep(sweep_id).state == "PENDING"
    agent, other = OwnAgent(sweep_id), OwnAgent(sweep_id)
    (open_one,), (waiting,) = agent.ask(), other.ask()
    assert server.sweep(sweep_id).state == "RUNNING"
    with writer(open_one["run_id"], settings={}) as process:
        assert process.opened
        server.end_sweep(sweep_id)
        assert [server.run(one["run_id"]).state for one in (open_one, waiting)] == ["killed", "killed"]
        process.do("run.finish(exit_code=1)")
    assert server.run(open_one["run_id"]).state == "killed"


def test_a_stopped_run_is_killed(server: WandbServer) -> None:
    with writer("run1", settings={}) as process:
        assert process.opened
        server.stop_run("run1")
        process.do("run.finish(exit_code=255)")
    assert (server.run("run1").state, server.run("run1").exit_code) == ("killed", 255)


def found(filters: dict[str, Any], project: str = "p") -> str:
    return " ".join(run.id for run in wandb.Api().runs(project, filters=filters))


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"tags": {"$in": ["x"]}}, "a"),
        ({"tags": {"$in": ["x", "z"]}}, "a c"),
        ({"tags": "y"}, "a b"),
        ({"tags": {"$nin": ["x"]}}, "b c"),
        ({"tags": {"$ne": "y"}}, "c"),
        ({"config.lr": {"$gt": 1, "$lte": 3}}, "b c"),
        ({"config.lr.value": 1}, "a"),
        ({"summary_metrics.loss": {"$lt": 2}}, "c"),
        ({"summary_metrics.loss": {"$exists": False}}, "b"),
        ({"display_name": {"$regex": "^[ab]$"}}, "a b"),
        ({"state": {"$ne": "failed"}}, "a b"),
        ({"state": {"$not": {"$in": ["failed"]}}}, "a b"),
        ({"$nor": [{"state": "failed"}, {"group": "g"}]}, "b"),
        ({"username": "local", "group": {"$in": ["g"]}}, "a"),
        ({"created_at": {"$gt": "2020-01-01T00:00:00"}}, "a b c"),
        ({"createdAt": {"$lt": "2020-01-01T00:00:00"}}, ""),
    ],
    ids=str,
)
def test_runs_are_found_by_filters(filters: dict[str, Any], ids: str, server: WandbServer) -> None:
    server.put_run("a", project="p", tags=["x", "y"], config={"lr": 1}, summary={"loss": 2}, group="g")
    server.put_run("b", project="p", tags=["y"], config={"lr": 2})
    server.put_run("c", project="p", tags=["z"], config={"lr": 3}, summary={"loss": 1}, state="failed")
    assert found(filters) == ids


def test_an_unknown_project_is_none(server: WandbServer) -> None:
    with pytest.raises(ValueError, match="Could not find project p"):
        found({})
    wandb.Api().create_project("p", "local")
    assert found({}) == ""


def test_a_summary_and_a_config_that_are_set_by_the_public_api_stay(server: WandbServer) -> None:
    server.put_run("run1", project="p", summary={"loss": 2}, config={"lr": 1})
    api: Any = wandb.Api()
    run = api.run("p/run1")
    run.summary["best"] = 1
    run.summary.update()
    run.config["late"] = True
    run.tags = ["good"]
    run.update()
    record = server.run("run1")
    assert (record.summary, record.config, record.tags) == ({"loss": 2, "best": 1}, {"lr": 1, "late": True}, ("good",))
    assert (len(server.runs), record.state, record.restarted) == (1, "finished", 0)


def test_a_fork_begins_with_its_parents_rows(server: WandbServer) -> None:
    server.put_run("run1", project="p", history=[{"loss": 3}, {"loss": 2}, {"loss": 1}])
    with wandb.init(id="run2", project="p", fork_from="run1?_step=1") as run:
        assert run.starting_step == 2
        run.log({"loss": 9})
    assert [(row["_step"], row["loss"]) for row in server.run("run2").history] == [(0, 3), (1, 2), (2, 9)]
    assert server.run("run1").logged("loss") == [3, 2, 1]
    with pytest.raises(wandb.errors.CommError, match="there is no run none to fork"):
        wandb.init(id="run3", project="p", fork_from="none?_step=1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entity": "them"}, "permission denied"),
        ({"entity": "nobody"}, "entity nobody not found"),
        ({"name": "x" * 129}, "128 limit exceeded"),
        ({"group": "x" * 129}, "128 limit exceeded"),
        ({"job_type": "x" * 65}, "64 limit exceeded"),
    ],
)
def test_what_wandb_refuses_is_refused(
    options: dict[str, Any], message: str, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WandbServer(teams=["us"], others=["them"]) as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(wandb.errors.CommError, match=message):
            open_run(**options)
        assert server.runs == ()
        wandb.teardown()
        open_run(entity="us", name="x" * 128, group="x" * 128, job_type="x" * 64).finish()
        assert server.run("run1").entity == "us"
        wandb.teardown()


def test_after_a_rewind_the_summary_is_that_of_the_rows_that_are_left(server: WandbServer) -> None:
    write(rows=6)
    with wandb.init(project="p", resume_from="run1?_step=2", reinit="create_new") as run:
        assert server.run("run1").summary == {"loss": 2}
        run.log({"loss": 7})
    with open_run(resume="must") as run:
        assert run.starting_step == 4
        run.log({"loss": 8})
    assert [(row["_step"], row["loss"]) for row in server.run("run1").history] == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 7),
        (4, 8),
    ]
