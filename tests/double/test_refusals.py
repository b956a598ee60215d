"""A server that opens no runs, waits, or ends."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest
import wandb

from flyte_wandb.testing import WandbServer
from tests.double.raw import ask, ask_with, stream


def open_run(run_id: str, **options: Any) -> wandb.Run:
    return wandb.init(id=run_id, project="p", reinit="create_new", **options)


@pytest.mark.parametrize("settings", [{}, {"mode": "shared"}], ids=["plain", "shared"])
def test_a_refusal_reaches_the_client_until_it_is_taken_back(server: WandbServer, settings: dict[str, Any]) -> None:
    server.refuse("no room for more runs")
    with pytest.raises(wandb.errors.CommError, match="no room for more runs"):
        open_run("run1", settings=wandb.Settings(**settings))
    assert server.runs == ()
    server.accept()
    wandb.teardown()
    open_run("run1", settings=wandb.Settings(**settings)).finish()
    assert server.run("run1").state == "finished"


def test_a_refusal_leaves_open_runs_alone(server: WandbServer) -> None:
    run = open_run("run1", config={"a": 1})
    server.refuse("no room for more runs")
    run.config["b"] = 2
    run.finish()
    assert server.run("run1").config == {"a": 1, "b": 2}
    assert server.run("run1").state == "finished"


@pytest.mark.parametrize("again", [{"id": "run1", "resume": "allow"}, {"resume_from": "run1?_step=0"}])
def test_a_refused_run_is_neither_resumed_nor_rewound(again: dict[str, Any], server: WandbServer) -> None:
    before = server.put_run("run1", project="p", state="failed", history=[{"loss": 2.0}, {"loss": 1.0}])
    server.refuse("no room for more runs")
    with pytest.raises(wandb.errors.CommError, match="no room for more runs"):
        wandb.init(project="p", **again).finish()
    assert server.run("run1") == before


def test_a_pause_holds_runs_that_are_being_opened(server: WandbServer) -> None:
    server.put_run("rewound", project="p", state="failed", history=[{}, {}])
    rewind = {"project": "p", "runName": "rewound", "metricName": "_step", "metricValue": 0}
    with ThreadPoolExecutor() as pool:
        with server.paused():
            openings: list[Future[Any]] = [
                pool.submit(lambda: open_run("run1").finish()),
                pool.submit(ask, server, "mutation RewindRun { rewindRun }", **rewind),
            ]
            assert server.wait_for(lambda server: server.held == 2)
            assert [(run.id, len(run.history)) for run in server.runs] == [("rewound", 2)]
        for opening in openings:
            opening.result()
    assert server.held == 0
    assert [(run.id, run.state, len(run.history)) for run in server.runs] == [
        ("rewound", "running", 1),
        ("run1", "finished", 0),
    ]


def test_the_end_of_the_server_ends_a_pause(server: WandbServer) -> None:
    refused: list[BaseException] = []

    def try_to_open() -> None:
        try:
            open_run("run1")
        except wandb.errors.CommError as error:
            refused.append(error)

    with server.paused():
        thread = threading.Thread(target=try_to_open)
        thread.start()
        server.wait_for(lambda server: server.held)
        server.stop()
        thread.join()
    assert (server.held, server.runs, len(refused)) == (0, (), 1)


def test_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    with WandbServer() as server:
        server.put_run("run1")
        connection = HTTPConnection(urlsplit(server.url).netloc)
        connection.request("GET", "/")
        connection.getresponse().read()
        assert len(set(threading.enumerate()) - before) == 2, "one listens, one has the connection that is kept open"
    assert set(threading.enumerate()) <= before
    assert server.run("run1").state == "finished", "the runs stay readable"
    assert connection.sock.recv(1) == b"", "the server has ended it"
    connection.close()


def test_a_server_is_started_and_stopped(server: WandbServer) -> None:
    with pytest.raises(RuntimeError, match="runs already, at http"):
        server.start()
    other = WandbServer()
    other.stop()
    with pytest.raises(RuntimeError, match="was not started"):
        _ = other.url
    with pytest.raises(OSError, match="in use"):
        WandbServer(port=urlsplit(server.url).port or 0).start()


def test_a_server_starts_again_on_its_port_without_runs() -> None:
    with WandbServer() as first:
        port = urlsplit(first.url).port or 0
        assert first.url == f"http://127.0.0.1:{port}"
    again = WandbServer(port)
    for _ in range(2):
        with again:
            assert (again.url, again.runs) == (first.url, ())


def test_broken_requests_leave_the_terminal_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with WandbServer() as server:
        address = ("127.0.0.1", urlsplit(server.url).port or 0)
        for request in (b"nonsense\r\n\r\n", b"POST /graphql HTTP/1.1\r\nContent-Length: 4\r\n\r\nnope", b"POST /gra"):
            with socket.create_connection(address) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass
    assert capfd.readouterr() == ("", "")


def test_who_has_another_key_or_none_is_not_logged_in(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.put_run("run1", project="p", state="running")
    for key in (None, "1" * 40):
        with pytest.raises(HTTPError, match="401"):
            stream(server, "local", "p", "run1", key=key)
        with pytest.raises(HTTPError, match="401"):
            ask_with(key, server, "query Runs { project { id } }")
    told = ask_with(None, server, "query Viewer { viewer { entity } serverInfo { features { name } } }")["data"]
    assert (told["viewer"], told["serverInfo"]["features"]) == (None, []), "W&B answers so to anybody"
    assert ask(server, "query Viewer { viewer { entity } }")["data"]["viewer"]["entity"] == "local"
    monkeypatch.setenv("WANDB_API_KEY", "1" * 40)
    with pytest.raises(wandb.errors.CommError, match=r"not logged in|401"):
        open_run("run2")
    assert [run.id for run in server.runs] == ["run1"]


@pytest.mark.parametrize("version", [None, "0.68.1"])
def test_a_server_tells_its_version_if_it_has_one(version: str | None) -> None:
    with WandbServer(version=version) as other:
        local = ask(other, "query ServerInfo { serverInfo { features { name } } }")["data"]["serverInfo"]
    told = local["latestLocalVersionInfo"]
    assert (told and told["versionOnThisInstanceString"]) == version
