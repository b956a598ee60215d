"""The bytes of one file: those the server told of, or an error; and who is told the key."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest

from flyte_wandb.results._workers import Stop, StoppedError
from flyte_wandb.results.downloads._limits import DownloadLimits
from flyte_wandb.results.downloads._transfer import TransferError, Transfers
from flyte_wandb.wandb_client._reader import Access
from flyte_wandb.wandb_client._remote_file import RemoteFile

ACCESS = Access(server="http://127.0.0.1:9", login="Basic secret", headers={"X-Team": "a"}, proxies={}, verify=True)


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that it was sent, or leads to another server."""

    def do_GET(self) -> None:
        if self.path == "/endless":
            return self._send_endlessly()
        self.send_response(302 if self.path.startswith("/to/") else 200)
        self.send_header("Location", "http://" + self.path.removeprefix("/to/"))
        told = f"{self.headers.get('Authorization')} {self.headers.get('X-Team')}".encode()
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def _send_endlessly(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"endless" * 10_000)
        except OSError:
            self.close_connection = True  # whoever asked has had enough

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on this machine, at the address that is given."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that says what it was told."""
    with serving(Echo) as address:
        yield address


def remote(url: str, content: bytes, **told: object) -> RemoteFile:
    file = RemoteFile(name="a", url=url, size=len(content), md5=hashlib.md5(content).hexdigest(), updated=None)
    return replace(file, **told)  # type: ignore[arg-type]


def received(file: RemoteFile, ask: RemoteFile, access: Access = ACCESS) -> tuple[bytes, int]:
    """Transfer a file, and return its bytes and how often the server's list was asked again."""
    asked: list[RemoteFile] = []
    into = BytesIO()
    with Transfers(access, DownloadLimits(), Stop()) as transfers:
        transfers.transfer_with_retries(
            partial(transfers.receive_file, into=into, seen=lambda size: None),
            file,
            lambda file: (asked.append(file), ask)[1],  # type: ignore[func-returns-value]
        )
    return into.getvalue(), len(asked)


@pytest.mark.parametrize(
    ("told", "said"),
    [({"md5": "0" * 32}, "do not have the md5 0000"), ({"size": 5}, "6 bytes arrived where 5 were announced")],
)
def test_what_is_not_what_was_announced_is_refused(told: dict[str, object], said: str, echo: str) -> None:
    right = remote(f"http://{echo}/", b"None a")
    wrong = replace(right, **told)  # type: ignore[arg-type]
    assert received(wrong, ask=right) == (b"None a", 1)
    with pytest.raises(TransferError, match=said):
        received(wrong, ask=wrong)


def test_a_hash_may_be_written_in_base64_and_may_be_missing(echo: str) -> None:
    file = remote(f"http://{echo}/", b"None a", md5="KiDXRr0SeO6/WBFTzEHaow==")
    for right in (file, replace(file, md5=None), replace(file, size=None)):
        assert received(right, ask=right) == (b"None a", 0)


def test_only_the_server_itself_is_told_the_key(echo: str) -> None:
    own = remote(f"http://{echo}/", b"Basic secret a")
    assert received(own, own, replace(ACCESS, server=f"http://{echo}")) == (b"Basic secret a", 0)
    other = remote(f"http://{echo}/", b"None a")
    assert received(other, other) == (b"None a", 0)


def test_a_server_that_leads_elsewhere_does_not_lead_the_key_there(echo: str) -> None:
    elsewhere = echo.replace("127.0.0.1", "localhost")
    file = remote(f"http://{echo}/to/{elsewhere}/file", b"None a")
    assert received(file, file, replace(ACCESS, server=f"http://{echo}")) == (b"None a", 0)


def test_the_error_of_a_server_that_is_not_there_does_not_show_a_signed_address() -> None:
    file = remote("http://127.0.0.1:9/file?Signature=secret", b"")
    with Transfers(ACCESS, DownloadLimits(patience=0), Stop()) as transfers:
        attempt = partial(transfers.receive_file, into=BytesIO(), seen=lambda size: None)
        with pytest.raises(TransferError, match=r"^127.0.0.1:9 did not answer \(ConnectionError\)$"):
            transfers.transfer_with_retries(attempt, file, lambda file: file)


class Busy(Echo):
    """Answers 429 and asks to wait 7 s, then 503, then as `Echo` does."""

    refusals: list[tuple[int, str | None]]

    def do_GET(self) -> None:
        if not self.refusals:
            super().do_GET()
            return
        status, retry_after = self.refusals.pop(0)
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()


class CountedWaits(Stop):
    """Is told how long to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_a_busy_server_is_asked_again_when_it_says_or_else_after_waits_that_grow() -> None:
    busy: Any = type("Busy", (Busy,), {"refusals": [(429, "7"), (503, None), (503, None)]})
    stop, into = CountedWaits(), BytesIO()
    with serving(busy) as address, Transfers(ACCESS, DownloadLimits(), stop) as transfers:
        attempt = partial(transfers.receive_file, into=into, seen=lambda size: None)
        transfers.transfer_with_retries(attempt, remote(f"http://{address}/", b"None a"), lambda file: file)
    assert into.getvalue() == b"None a"
    first, second, third = stop.waits
    assert first == 7
    assert 0.75 <= second <= 1.25
    assert 1.5 <= third <= 2.5


CHUNK = 1 << 20


class HalfAFile(BaseHTTPRequestHandler):
    """Sends one half of a file, and the other when somebody has seen the first, or after 20 seconds."""

    first_half_seen: threading.Event
    was_seen: list[bool]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(2 * CHUNK))
        self.end_headers()
        self.wfile.write(bytes(CHUNK))
        self.was_seen.append(self.first_half_seen.wait(60))
        with suppress(ConnectionError):  # who has stopped does not listen any more
            self.wfile.write(bytes(CHUNK))

    def log_message(self, format: str, *args: object) -> None:
        pass


def half_a_file() -> Any:
    return type("HalfAFile", (HalfAFile,), {"first_half_seen": threading.Event(), "was_seen": []})


def test_a_file_is_written_while_it_arrives() -> None:
    handler, into, sizes = half_a_file(), BytesIO(), list[int]()

    def seen(size: int) -> None:
        sizes.append(size)
        handler.first_half_seen.set()

    with serving(handler) as address, Transfers(ACCESS, DownloadLimits(), Stop()) as transfers:
        transfers.receive_file(remote(f"http://{address}/", bytes(2 * CHUNK)), into, seen)
    assert handler.was_seen == [True]
    assert sizes == [CHUNK, CHUNK]


def test_a_stop_ends_a_transfer_inside_its_file() -> None:
    handler, into, stop = half_a_file(), BytesIO(), Stop()

    def seen(size: int) -> None:
        stop.set()
        handler.first_half_seen.set()

    with serving(handler) as address, Transfers(ACCESS, DownloadLimits(), stop) as transfers:
        file = remote(f"http://{address}/", bytes(2 * CHUNK))
        with pytest.raises(StoppedError):
            transfers.receive_file(file, into, seen)
    assert len(into.getvalue()) == CHUNK


def test_a_file_that_has_grown_since_it_was_listed_is_listed_anew() -> None:
    grown = half_a_file()
    grown.first_half_seen.set()
    with serving(grown) as address:
        now = remote(f"http://{address}/", bytes(2 * CHUNK))
        assert received(replace(now, size=10), ask=now) == (bytes(2 * CHUNK), 1)


def test_a_file_that_never_ends_is_given_up_after_the_bytes_that_were_announced(echo: str) -> None:
    endless, into = remote(f"http://{echo}/endless", b"0123456789"), BytesIO()
    with (
        Transfers(ACCESS, DownloadLimits(), Stop()) as transfers,
        pytest.raises(TransferError, match="bytes arrived where 10 were announced"),
    ):
        transfers.receive_file(endless, into, lambda size: None)
    assert into.getvalue() == b""


def test_a_file_of_which_nobody_says_how_large_it_is_is_bounded(echo: str) -> None:
    endless, into = remote(f"http://{echo}/endless", b"", size=None, md5=None), BytesIO()
    with (
        Transfers(ACCESS, DownloadLimits(unannounced=3 * CHUNK), Stop()) as transfers,
        pytest.raises(TransferError, match="bytes arrived where no size was announced") as refused,
    ):
        transfers.receive_file(endless, into, lambda size: None)
    assert 0 < len(into.getvalue()) <= 3 * CHUNK
    assert not refused.value.temporary
