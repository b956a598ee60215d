"""A server that is busy is waited for, one that is not there is not: what opens, what the log and the error say."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import wandb

from flyte_wandb import OpenRunError, wandb_config
from flyte_wandb.testing import WandbServer
from flyte_wandb.wandb_client import _waiting
from flyte_wandb.wandb_client._waiting import PATIENCE, Patience, find_listener
from tests.faults import local_tasks
from tests.faults.acting import ROWS, on_disk, run_outcome
from tests.messages import own_messages
from tests.remote import run_action

LOGGER = logging.getLogger("flyte_wandb")
SOON = Patience(nobody=1.0, ask=0.1, connect=1.0, line=1.0)


def run(folder: Path, name: str = "a0", **settings: Any) -> Any:
    return asyncio.run(
        run_action(local_tasks.logs, rows=ROWS, folder=folder, name=name, context=wandb_config(**settings))
    )


@pytest.fixture
def hasty(quick: WandbServer, monkeypatch: pytest.MonkeyPatch) -> WandbServer:
    """The server, whose openings are given up and spoken of after a second, and whose client tries again as often."""
    monkeypatch.setattr(_waiting, "PATIENCE", SOON)
    monkeypatch.setenv("WANDB__GRAPHQL_RETRY_WAIT_MIN_SECONDS", "0.2")
    monkeypatch.setenv("WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS", "1")
    return quick


def wait() -> None:
    """Do nothing about a line."""


class Lines(logging.Handler):
    """Does one thing after the other: each as soon as a line is logged that has its text."""

    def __init__(self, *steps: tuple[str, Callable[[], object]]) -> None:
        super().__init__()
        self.steps = list(steps)

    def emit(self, record: logging.LogRecord) -> None:
        if self.steps and self.steps[0][0] in record.getMessage():
            self.steps.pop(0)[1]()

    def __enter__(self) -> Lines:
        LOGGER.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        LOGGER.removeHandler(self)


def test_a_server_that_is_not_there_has_12_seconds() -> None:
    assert PATIENCE.nobody + PATIENCE.connect == 12


BUSY: list[tuple[dict[str, Any], str]] = [
    ({"where": "*", "status": 429, "retry_after": 1}, "its last answer was HTTP 429: the test asked for "),
    ({"where": "*", "status": 503}, "its last answer was HTTP 503: the test asked for "),
    ({"where": "*", "drop": True}, 'it last met Post "'),
    ({"where": "UpsertBucket", "status": 409}, "its last answer was HTTP 409: the test asked for "),
]


def test_a_server_that_answers_anything_is_waited_for_and_the_log_says_what(
    hasty: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def next_trouble() -> None:
        hasty.heal()
        if trouble := next(troubles, None):
            hasty.fault(times=None, **trouble)

    troubles = iter([trouble for trouble, _ in BUSY])
    next_trouble()
    with Lines(*((answer, next_trouble) for _, answer in BUSY)):
        assert run(tmp_path) == "r1-a0"
    assert run_outcome(hasty.run("r1-a0")) == ("finished", 0, [0, 1, 2])
    for _, answer in BUSY:
        line = next(line for line in own_messages(caplog) if answer in line)
        assert line.startswith(f"W&B at {hasty.url} has not opened the run 'r1-a0' yet: {answer}")
        assert line.endswith(" s, 90 s at most")


def test_a_server_that_takes_its_time_is_waited_for(
    hasty: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hasty.slow("*", 30)
    with Lines(("no answer so far", wait), ("no answer so far", hasty.heal)):
        assert run(tmp_path) == "r1-a0"
    assert run_outcome(hasty.run("r1-a0")) == ("finished", 0, [0, 1, 2])


def test_a_server_that_goes_while_it_is_waited_for_has_until_the_end_to_come_back(
    hasty: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_waiting, "PATIENCE", SOON._replace(nobody=3.0, line=0.2))
    hasty.fault("*", status=503, times=None)
    port = int(hasty.url.rpartition(":")[2])
    with ExitStack() as stack:
        came: list[WandbServer] = []

        def come_back() -> None:
            came.append(stack.enter_context(WandbServer(port)))

        refused = [("connection refused", wait)] * 16  # longer than one may take that has never answered
        with Lines(("HTTP 503", hasty.stop), *refused, ("connection refused", come_back)):
            assert run(tmp_path) == "r1-a0"
        assert run_outcome(came[0].run("r1-a0")) == ("finished", 0, [0, 1, 2])


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address at which connections are neither taken nor refused, as behind a firewall that drops them."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):  # as many as wait to be accepted, and more: whoever comes then hears nothing
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield "http://{}:{}".format(*listening.getsockname())


NOBODY = {
    "refused": r"no server listens there: 127\.0\.0\.1 port \d+: .*[Rr]efused \(\d+ s\)",
    "no name": r"no server listens there: nobody\.invalid port 80: .* \(\d+ s\)",
    "silence": r"no server listens there: 127\.0\.0\.1 port \d+: timed out \(\d+ s\)",
    "no TLS": r"waiting does not help: .*tls: .* \(\d+ s\)",
}


@pytest.mark.parametrize("kind", NOBODY)
def test_a_server_that_is_not_there_is_given_up_and_its_runs_id_is_free_again(
    kind: str, hasty: WandbServer, deaf: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty.stop() if kind == "refused" else None
    url = {"no name": "http://nobody.invalid", "silence": deaf, "no TLS": hasty.url.replace("http:", "https:")}
    monkeypatch.setenv("WANDB_BASE_URL", url.get(kind, hasty.url))
    with pytest.raises(OpenRunError, match=NOBODY[kind]) as refused:
        run(tmp_path)
    assert f"W&B did not open the run 'r1-a0' at {url.get(kind, hasty.url)}: " in str(refused.value)
    assert run(tmp_path, mode="offline") == "r1-a0"
    wandb.teardown()
    log = on_disk(tmp_path, "offline-run")
    assert (log.logged("row"), log.exit_code) == ([0, 1, 2], 0)


@pytest.mark.parametrize(("on_error", "outcome"), [("ignore", "no run"), ("offline", "r1-a0")])
def test_a_task_goes_on_without_a_server_that_is_not_there_where_on_error_says_so(
    on_error: str, outcome: str, hasty: WandbServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hasty.stop()
    assert run(tmp_path, on_error=on_error) == outcome
    (line,) = [line for line in own_messages(caplog) if "W&B did not open" in line]
    assert "no server listens there" in line


@pytest.mark.parametrize("by", ["settings", "environment"])
def test_how_long_the_user_wants_to_wait_holds_for_a_server_that_is_not_there(
    by: str, hasty: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hasty.stop()
    if by == "environment":
        monkeypatch.setenv("WANDB_INIT_TIMEOUT", "3")
    with pytest.raises(OpenRunError, match="connection refused") as refused:
        run(tmp_path, settings={"init_timeout": 3.0} if by == "settings" else {"quiet": True})
    assert "no server listens" not in str(refused.value)
    assert any(line.endswith("s, 3 s at most") for line in own_messages(caplog))


def test_the_error_says_what_the_server_answered_last(hasty: WandbServer, tmp_path: Path) -> None:
    hasty.fault("*", status=429, times=None)
    with pytest.raises(OpenRunError, match="HTTP 429: the test asked for the status 429"):
        run(tmp_path, settings={"init_timeout": 3.0})


def test_looking_asks_the_server_for_nothing(
    quick: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(name: str) -> Counter[str]:
        before = quick.requests
        assert run(tmp_path, name) == f"r1-{name}"
        return Counter({what: times for what, times in (quick.requests - before).items() if name not in what})

    asked("a0")  # the first of a process asks more
    usual = asked("a1")
    monkeypatch.setattr(_waiting, "PATIENCE", Patience(nobody=0.0, ask=0.01, connect=1.0, line=0.01))
    assert asked("a2")["graphql"] == usual["graphql"]


@pytest.mark.parametrize(
    ("environ", "server", "expected"),
    [
        ({}, "https://wandb.example.com", ("wandb.example.com", 443)),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://wandb.example.com", ("proxy", 3128)),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://wandb.example.com", ("wandb.example.com", 80)),
        ({"HTTPS_PROXY": "proxy:3128", "NO_PROXY": ".example.com"}, "https://w.example.com", ("w.example.com", 443)),
        ({"http_proxy": "proxy:3128"}, "http://wandb.example.com:8080/wandb", ("proxy", 3128)),
        ({"http_proxy": "http://proxy:3128"}, "http://localhost:8080", ("localhost", 8080)),
        ({"http_proxy": "http://proxy:3128"}, "http://[::1]:8080", ("::1", 8080)),
    ],
)
def test_whom_the_client_connects_to(
    environ: dict[str, str], server: str, expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert find_listener(server, None) == expected
