"""Requests that fail, end or take long because the test says so, as W&B's client lives through them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import wandb
from wandb.sdk.lib.run_stopping import RunStopChecker

from flyte_wandb.testing import WandbServer
from tests.conftest import WITHOUT_PACKAGES
from tests.double.raw import ask, stream

HOUR = 3600.0
WRITING = ("UpsertBucket", "CreateRunFiles", "file_stream", "upload")
QUICK = {
    f"x_{part}_retry_wait_{end}_seconds": 1
    for part in ("file_stream", "file_transfer", "graphql")
    for end in ("min", "max")
}
"""The shortest waits that W&B's client knows."""
VIEWER = "query Viewer { viewer { entity } }"


def write_run(run_id: str, **settings: Any) -> None:
    options = wandb.Settings(**settings)
    with wandb.init(id=run_id, project="p", reinit="create_new", settings=options) as run:
        run.log({"loss": 0.5})


def status(server: WandbServer) -> int:
    """Return the status of the answer to a plain request."""
    try:
        return 200 if ask(server, VIEWER) else 0
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize(
    "faults",
    [
        [{"status": 429, "retry_after": 0}] * 4,
        [{"status": 503, "retry_after": 0}] * 4,
        [{"drop": True}, {"status": 500}, {"drop": True}, {"status": 502}],
    ],
    ids=["429", "503", "others"],
)
def test_a_writer_recovers(faults: list[dict[str, Any]], server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # As W&B has it: the disturbed upload is then that of the list, which nothing changes while it waits.
    for name in WITHOUT_PACKAGES:
        monkeypatch.delenv(name, raising=False)
    for where, fault in zip(WRITING, faults, strict=True):
        server.fault(where, **fault)
    write_run("run1", **QUICK)
    record, asked = server.run("run1"), server.requests
    assert (record.state, record.logged("loss"), record.restarted) == ("finished", [0.5], 0)
    assert {"config.yaml", "requirements.txt"} <= set(record.files)
    write_run("run2")
    undisturbed = server.requests - asked
    assert {where: asked[where] - undisturbed[where] for where in WRITING} == dict.fromkeys(WRITING, 1), "one repeated"


@pytest.mark.parametrize("status", [401, 403])
def test_a_writer_that_is_refused_gives_up_at_once(status: int, server: WandbServer) -> None:
    server.fault("UpsertBucket", status=status)
    with pytest.raises(wandb.errors.CommError, match=f"the test asked for the status {status}"):
        write_run("run1")
    assert (server.runs, server.requests["UpsertBucket"]) == ((), 1)


def test_a_reader_recovers(server: WandbServer, tmp_path: Path) -> None:
    server.put_run("run1", project="p", history=[{"loss": 0.5}], files={"a.txt": b"a"})
    run = wandb.Api().run("p/run1")
    for where in ("RunFiles", "HistoryPage", "download"):
        server.fault(where, status=429, retry_after=0)
        server.fault(where, status=503, retry_after=0)
    run.file("a.txt").download(root=str(tmp_path)).close()
    assert (tmp_path / "a.txt").read_bytes() == b"a"
    assert [row["loss"] for row in run.scan_history()] == [0.5]
    assert [server.requests[where] for where in ("RunFiles", "HistoryPage", "download")] == [3, 3, 3]


def test_a_download_can_be_cut_off_and_forbidden_by_its_name(server: WandbServer, tmp_path: Path) -> None:
    server.put_run("run1", project="p", files={"a.bin": b"a" * 100_000, "b.bin": b"b"})
    files = {file.name: file for file in wandb.Api().run("p/run1").files()}
    server.fault("download:run1/a.bin", drop=True)
    server.fault("download:run1/a.bin", status=403)
    files["b.bin"].download(root=str(tmp_path)).close()
    for words in ("unexpected EOF", "403"):
        with pytest.raises(wandb.errors.CommError, match=words):
            files["a.bin"].download(root=str(tmp_path), replace=True)
        half = (tmp_path / "a.bin").read_bytes()
        assert half == b"a" * 50_000
    files["a.bin"].download(root=str(tmp_path), replace=True).close()
    for name, content in server.run("run1").files.items():
        assert (tmp_path / name).read_bytes() == content


def test_faults_come_in_order_and_as_often_as_they_were_asked_for(server: WandbServer) -> None:
    server.fault("Viewer", status=500, times=2)
    server.fault("graphql", status=502)
    server.fault("*", status=503, times=None)
    server.fault("Run", status=418)
    assert [status(server) for _ in range(5)] == [500, 500, 502, 503, 503]
    server.heal()
    assert status(server) == 200
    assert (server.requests["Viewer"], server.requests["graphql"], server.requests["*"]) == (6, 6, 6)


def test_a_client_is_told_when_to_come_back(server: WandbServer) -> None:
    server.fault("graphql", status=429, retry_after=7)
    server.fault("graphql", status=429)
    for expected in ("7", None):
        with pytest.raises(HTTPError) as raised:
            ask(server, VIEWER)
        assert raised.value.headers["Retry-After"] == expected


def test_what_a_fault_hits_changes_nothing(server: WandbServer) -> None:
    server.fault("graphql", drop=True)
    with pytest.raises(ConnectionError):
        ask(server, "mutation UpsertBucket { upsertBucket }", project="p", name="run1")
    assert server.runs == ()


@pytest.mark.parametrize("fault", [{}, {"status": 500, "drop": True}])
def test_a_fault_is_a_status_or_a_drop(fault: dict[str, Any], server: WandbServer) -> None:
    with pytest.raises(ValueError, match=r"the fault at 'graphql' has status=.*: give exactly one of them"):
        server.fault("graphql", **fault)


@pytest.mark.parametrize(
    ("end", "answer"),
    [(WandbServer.heal, 200), (lambda server: server.slow("Viewer", 0), 418), (WandbServer.stop, 418)],
    ids=["heal", "slow", "stop"],
)
def test_what_is_slow_is_answered_at_once_when_that_ends(end: Callable[[WandbServer], None], answer: int) -> None:
    with WandbServer() as server:
        server.slow("Viewer", HOUR)
        ask(server, "query ServerInfo { serverInfo { features { name } } }")
        answered: list[int] = []
        thread = threading.Thread(target=lambda: answered.append(status(server)))
        thread.start()
        server.wait_for(lambda server: server.requests["Viewer"])
        server.fault("Viewer", status=418)
        end(server)
        thread.join()
        assert answered == [answer]


def test_what_is_slow_is_answered_after_its_time(server: WandbServer) -> None:
    server.slow("*", 0.01)
    write_run("run1")
    assert server.run("run1").state == "finished"


def test_who_writes_a_run_hears_that_it_was_stopped(server: WandbServer) -> None:
    stopped = threading.Event()
    settings = wandb.Settings(x_file_stream_transmit_interval=1, stop_fn=stopped.set)
    with wandb.init(id="run1", project="p", settings=settings) as run:
        assert run._interface is not None
        checker = RunStopChecker(wandb.setup().asyncer, run._interface, stopped.set, poll_interval=0.05)
        checker.start()
        run.log({"loss": 0.5})
        server.wait_for(lambda server: server.run("run1").history)
        assert not stopped.is_set()
        server.stop_run("run1")
        run.log({"loss": 0.25})
        assert stopped.wait(60)
        checker.stop_soon()
    with pytest.raises(LookupError, match="no runs with the id 'run2'"):
        server.stop_run("run2")


def test_a_stop_lasts_until_the_run_has_ended(server: WandbServer) -> None:
    server.put_run("run1", project="p", state="running")
    assert stream(server, "local", "p", "run1")["stopped"] is False
    server.stop_run("run1")
    for expected in (True, False):
        with wandb.init(id="run1", project="p", resume="must", settings=wandb.Settings(stop_fn=lambda: None)):
            assert stream(server, "local", "p", "run1")["stopped"] is expected
