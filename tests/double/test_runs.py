"""Runs of one plain writer, online."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb.testing import WandbServer, Writer


def open_run(run_id: str, **options: Any) -> wandb.Run:
    return wandb.init(id=run_id, project="p", reinit="create_new", **options)


def test_a_run_arrives_with_everything(server: WandbServer) -> None:
    options = {"name": "first", "group": "g", "job_type": "train", "tags": ["a", "b"], "notes": "why"}
    run = open_run("run1", config={"lr": 0.1, "net": {"layers": 2}}, **options)
    run.log({"loss": 2.0, "at": {"epoch": 1}})
    run.log({"loss": 1.0}, step=5)
    run.config["late"] = True
    run.finish()

    record = server.run("run1")
    assert (record.id, record.project, record.entity) == ("run1", "p", "local")
    assert (record.display_name, record.group, record.job_type) == ("first", "g", "train")
    assert (record.tags, record.notes) == (("a", "b"), "why")
    assert (record.state, record.exit_code, record.preempting) == ("finished", 0, False)
    assert record.config == {"lr": 0.1, "net": {"layers": 2}, "late": True}
    assert record.history == ({"loss": 2.0, "at": {"epoch": 1}, "_step": 0}, {"loss": 1.0, "_step": 5})
    assert record.summary == {"loss": 1.0, "at": {"epoch": 1}}
    assert record.writers == (Writer(client_id=None, shared=False, label=None, rows=2, completed=True),)
    assert (record.resumed, record.restarted) == (0, 0)
    assert record.url == run.url
    assert server.groups == {"g": (record,)}


def test_a_run_says_of_which_code_and_machine_its_last_writer_is(server: WandbServer) -> None:
    where = {"git_remote_url": "https://git.example.org/team/train.git", "program": "train.py", "host": "node-1"}
    for commit in ("c0ffee", "decade"):
        open_run("run1", settings={**where, "git_commit": commit}).finish()
    record = server.run("run1")
    assert (record.commit, record.repo, record.program, record.host) == ("decade", *where.values())
    assert wandb.Api().run("p/run1").commit == "decade"


def test_what_the_client_leaves_out_has_a_default(server: WandbServer) -> None:
    open_run("run1").finish()
    record = server.run("run1")
    assert (record.display_name, record.group, record.job_type, record.tags, record.notes) == (
        "run1",
        None,
        None,
        (),
        None,
    )
    assert (record.config, record.summary, record.history, record.console) == ({}, {}, (), "")
    assert server.groups == {}


@pytest.mark.parametrize(("exit_code", "state"), [(0, "finished"), (3, "failed")])
def test_the_exit_code_decides_the_state(server: WandbServer, exit_code: int, state: str) -> None:
    run = open_run("run1")
    assert server.run("run1").state == "running"
    run.finish(exit_code=exit_code)
    assert (server.run("run1").state, server.run("run1").exit_code) == (state, exit_code)


@pytest.mark.parametrize(("exit_code", "state"), [(0, "finished"), (1, "preempted")])
def test_an_announced_preemption_is_no_failure(server: WandbServer, exit_code: int, state: str) -> None:
    run = open_run("run1")
    run.mark_preempting()
    assert server.wait_for(lambda server: server.run("run1").preempting)
    run.finish(exit_code=exit_code)
    assert server.run("run1").state == state


def test_files_and_console_lines_arrive(server: WandbServer, tmp_path: Path) -> None:
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir" / "größe.txt").write_bytes(b"\x00" * 100_000)
    run = open_run("run1")
    run.save(str(tmp_path / "sub dir" / "größe.txt"), base_path=str(tmp_path))
    run.write_logs("one\ntwo\n")
    run.finish()
    record = server.run("run1")
    assert record.files["sub dir/größe.txt"] == b"\x00" * 100_000
    assert {"config.yaml", "wandb-summary.json"} <= set(record.files)
    assert record.console == "one\ntwo\n"


def test_a_large_body_arrives(server: WandbServer) -> None:
    run = open_run("run1", config={"text": "x" * 300_000})
    for number in range(2000):
        run.log({"number": number})
    run.finish()
    record = server.run("run1")
    assert record.config["text"] == "x" * 300_000
    assert [row["_step"] for row in record.history] == [row["number"] for row in record.history] == list(range(2000))


def test_a_record_is_a_snapshot(server: WandbServer) -> None:
    run = open_run("run1", config={"net": {"layers": 2}})
    before = server.run("run1")
    before.config["net"]["layers"] = 3
    assert server.run("run1").config == {"net": {"layers": 2}}
    run.log({"loss": 1.0})
    run.finish()
    assert (before.state, before.history) == ("running", ())


def test_a_run_is_found_by_id_project_and_entity(server: WandbServer) -> None:
    server.put_run("one", project="p")
    server.put_run("one", project="q", entity="team")
    assert [run.project for run in server.runs] == ["p", "q"]
    assert server.run("one", project="q").entity == "team"
    assert server.run("one", entity="local").project == "p"
    with pytest.raises(
        LookupError, match=r"2 runs with the id 'one'; .*local/p/one \(finished\), team/q/one \(finished\)"
    ):
        server.run("one")
    with pytest.raises(LookupError, match="no runs with the id 'two'; known runs: local/p/one"):
        server.run("two")


def test_the_entity_of_the_server_owns_runs_that_name_none(clean_client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with WandbServer(entity="some team") as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        assert wandb.login(verify=True)
        run = open_run("run1")
        run.finish()
        assert run.entity == server.run("run1").entity == "some team"
        assert run.url == server.run("run1").url
        wandb.teardown()
        assert server.unknown_operations == ()


def test_wait_for_returns_what_the_predicate_says(server: WandbServer) -> None:
    opened = threading.Thread(target=lambda: open_run("run1", config={"lr": 1}).finish())
    opened.start()
    assert server.wait_for(lambda server: server.run("run1").config["lr"]) == 1
    assert server.wait_for(lambda server: server.run("run1").exit_code == 0)
    opened.join()


def test_wait_for_says_what_runs_there_are(server: WandbServer) -> None:
    with pytest.raises(TimeoutError, match=r"within 0\.01 s; known runs: none"):
        server.wait_for(lambda server: server.runs, timeout=0.01)
    server.put_run("run1", project="p")
    with pytest.raises(TimeoutError, match=r"known runs: local/p/run1 \(finished\)") as raised:
        server.wait_for(lambda server: server.run("run2"), timeout=0.01)
    assert isinstance(raised.value.__cause__, LookupError)
