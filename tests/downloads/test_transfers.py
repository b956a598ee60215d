"""The bytes of one file: those the server told of, or an error; and who is told the key."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest

from flyte_wandb.results._workers import Stop
from flyte_wandb.results.downloads._limits import DownloadLimits
from flyte_wandb.results.downloads._transfer import TransferError, Transfers
from flyte_wandb.wandb_client._reader import Access, RemoteFile

ACCESS = Access(server="http://127.0.0.1:9", login="Basic secret", headers={"X-Team": "a"}, proxies={}, verify=True)


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that it was sent, or leads to another server."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path.startswith("/to/") else 200)
        self.send_header("Location", "http://" + self.path.removeprefix("/to/"))
        told = f"{self.headers.get('Authorization')} {self.headers.get('X-Team')}".encode()
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that says what it was told."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


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
