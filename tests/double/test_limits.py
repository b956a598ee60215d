"""A server with limits, as W&B documents its own, and the client before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest
import wandb

from flyte_wandb.testing import Limits, WandbServer
from tests.double.raw import ask, stream
from tests.double.writers import shared, writer

NONE = dict.fromkeys(("run_creations", "file_streams", "file_streams_of_run", "stream_bytes", "writers", "body_bytes"))
SECOND: dict[str, Any] = {f"x_graphql_retry_wait_{end}_seconds": 1 for end in ("min", "max")}


@contextmanager
def limited(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> Iterator[WandbServer]:
    """Start a server with these limits only, to which this process's client writes."""
    with WandbServer(limits=Limits(**{**NONE, **limits})) as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server
        wandb.teardown()


def test_the_limits_are_those_that_wandb_documents() -> None:
    limits = Limits()
    assert (limits.run_creations, limits.file_streams, limits.file_streams_of_run) == (80, 500, 2)
    assert (limits.stream_bytes, limits.writers) == (120e6, 300)


@pytest.mark.parametrize(("run_id", "resumed"), [("run1", 0), ("run0", 1)])
def test_a_run_that_is_opened_too_soon_is_opened_later(
    run_id: str, resumed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_run(run_id: str, project: str = "p") -> None:
        settings = wandb.Settings(**SECOND)
        wandb.init(id=run_id, project=project, reinit="create_new", resume="allow", settings=settings).finish()

    with limited(monkeypatch, run_creations=0.001) as server:
        open_run("run0")
        thread = threading.Thread(target=open_run, args=[run_id])
        thread.start()
        server.wait_for(lambda server: server.refused["run_creations"])
        assert [run.id for run in server.runs] == ["run0"]
        open_run("run2", project="q")
        server.pass_time(1000)
        thread.join()
        assert {run.state for run in server.runs} == {"finished"}
        assert server.run(run_id).resumed == resumed


def test_a_refusal_says_when_to_come_back_and_the_clock_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(monkeypatch, file_streams_of_run=2) as server:
        server.put_run("run1", project="p", state="running")
        server.put_run("run2", project="p", state="running")
        for _ in range(2):
            stream(server, "local", "p", "run1")
        with pytest.raises(HTTPError, match="429") as refused:
            stream(server, "local", "p", "run1")
        assert 0 < float(refused.value.headers["RateLimit-Reset"]) <= 0.5
        assert int(refused.value.headers["RateLimit-Remaining"]) < 500
        stream(server, "local", "p", "run2")
        server.pass_time(1)
        stream(server, "local", "p", "run1")
        assert server.refused == {"file_streams_of_run": 1}


@pytest.mark.parametrize(
    ("limits", "status"),
    [({"file_streams": 1}, 429), ({"stream_bytes": 100}, 429), ({"body_bytes": 50}, 413)],
)
def test_what_is_too_much_is_refused_and_counted(
    limits: dict[str, Any], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with limited(monkeypatch, **limits) as server:
        server.put_run("run1", project="p", state="running")
        body = {"files": {"output.log": {"offset": 0, "content": ["x" * 90]}}}
        refused = None
        for _ in range(2):
            try:
                stream(server, "local", "p", "run1", body)
            except HTTPError as error:
                refused = error
        assert refused is not None
        assert (refused.code, set(server.refused)) == (status, set(limits))


def test_a_row_that_was_refused_arrives_later(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {f"x_file_stream_retry_wait_{end}_seconds": 1 for end in ("min", "max")}
    settings: Any = quick | {"x_file_stream_transmit_interval": 1}
    with limited(monkeypatch, file_streams_of_run=0.8) as server:
        with wandb.init(id="run1", project="p", settings=wandb.Settings(**settings)) as run:
            for number in range(200):
                run.log({"n": number})
                if number == 100:
                    server.wait_for(lambda server: server.run("run1").history)
        assert server.refused["file_streams_of_run"]
        assert server.run("run1").logged("n") == list(range(200))


def test_a_shared_run_has_so_many_writers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(monkeypatch, writers=2) as server, ExitStack() as stack:
        first = stack.enter_context(writer("run1", settings=shared("a", primary=True)))
        assert (first.opened, stack.enter_context(writer("run1", settings=shared("b"))).opened) == (
            (False, 0),
            (False, 0),
        )
        with pytest.raises(HTTPError, match="429"):
            ask(server, "mutation UpsertBucket { upsertBucket }", project="p", name="run1", host="h")
        assert server.refused == {"writers": 1}
