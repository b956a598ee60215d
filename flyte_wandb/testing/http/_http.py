"""HTTP of the double: connections, bodies, and which path is answered by whom."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import re
import selectors
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from ..graphql import _answer
from ..rules._limits import RefusedError
from ..state._faults import EVERY, Fault
from ..state._files import File
from ..state._run import RunKey, Sender
from ..state._store import About, Store
from . import _filestream

_LOG = logging.getLogger("flyte_wandb")
KEY: Final = hashlib.sha1(b"the W&B double of flyte-wandb", usedforsecurity=False).hexdigest()
"""The API key that the double knows: it looks like a real one, so that a search for leaks finds it."""

_LOOPBACK: Final = "127.0.0.1"
_BINARY: Final = "application/octet-stream"
_HTML: Final = "text/html; charset=utf-8"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_PIECE: Final = 2**20
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
_GRACE: Final = 5.0
"""Seconds that a client has to take its last answer when the server stops."""


class HttpServer(ThreadingHTTPServer):
    """Serves a store on the loopback interface, one thread per connection, and can end its connections."""

    daemon_threads = True
    request_queue_size = 1024  # many ranks connect at once, and a full queue looks like a server that is not there

    def __init__(self, port: int, about: About) -> None:
        """Listen on `port`, or on a free one for 0.

        Raises:
            OSError: The port is in use.
        """
        self._end, self._ending = socket.socketpair()
        super().__init__((_LOOPBACK, port), _Handler)
        self.store = Store(f"http://{_LOOPBACK}:{self.server_address[1]}", about)
        self._connections: dict[Any, threading.Thread] = {}
        self._lock = threading.Lock()

    def server_bind(self) -> None:
        """Take the port. The inherited way would also look up the host's name, which can take seconds."""
        TCPServer.server_bind(self)

    def serve_until_end(self) -> None:
        """Serve until `end` is called, at once and not after a look at the clock as the inherited way."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._end, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self._handle_request_noblock()  # type: ignore[attr-defined]  # what `serve_forever` calls

    def end(self) -> None:
        """Have `serve_until_end` return."""
        self._ending.close()

    def server_close(self) -> None:
        """Let go of the port."""
        super().server_close()
        self._end.close()
        self._ending.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a new thread."""
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def disconnect(self) -> None:
        """End all connections, which clients keep open for their next request, and wait for their threads."""
        with self._lock:
            open_now = dict(self._connections)
        for connection in open_now:
            _shut(connection, socket.SHUT_RD)  # what is being answered still gets its answer
        for connection, thread in open_now.items():
            thread.join(_GRACE)
            _shut(connection, socket.SHUT_RDWR)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep a failed request off the terminal: clients drop connections as they like."""
        _LOG.debug("a request to the W&B double failed", exc_info=sys.exc_info())


def _shut(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        _LOG.debug("the connection had ended already")


class _Handler(BaseHTTPRequestHandler):
    server: HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for the client's acknowledgement

    def do_GET(self) -> None:
        match self._parts():
            case ["files", entity, project, run_id]:
                self._send_file(RunKey(entity, project, run_id), self._query("name"))
            case ["artifacts" | "artifactsV2", *rest]:
                self._send_artifact(rest)
            case parts:
                self._send_page(parts)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        file = File(self._body())  # it goes to the disk as it comes: it may be larger than the memory
        match self._parts():
            case ["files", entity, project, run_id]:
                self._take_file(RunKey(entity, project, run_id), self._query("name"), file)
            case ["artifacts"]:
                self._take_artifact(file)
            case _:
                self._send_json({"error": "not found"}, 404)

    def do_POST(self) -> None:
        content = self._read_all()
        match self._parts():
            case ["graphql"]:
                self._answer(json.loads(content))
            case ["files", entity, project, run_id, "file_stream"]:
                self._stream(RunKey(entity, project, run_id), content)
            case ["sdk", "otel", *_]:  # telemetry of the client about itself
                self._send_json({})
            case _:
                self._send_json({"error": "not found"}, 404)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _sender(self) -> Sender:
        """Return who sent the request.

        Raises:
            RefusedError: It has another key than the double's, or a way to log in that the double does not know.
        """
        credentials = self.headers.get("Authorization")
        key = base64.b64decode((credentials or "").partition(" ")[2]).decode().partition(":")[2]
        if credentials is not None and key != KEY:
            raise RefusedError("user is not logged in", 401)
        client_id = self.headers.get("X-Wandb-Async-Client-Id") or self.headers.get("X-Wandb-Client-Id")
        shared = self.headers.get("X-Wandb-Use-Async-Filestream") == "true"
        return Sender(client_id, shared, logged_in=credentials is not None)

    def _answer(self, body: dict[str, Any]) -> None:
        if self._disturbed(_answer.operation(body), "graphql"):
            return
        try:
            self._send_json(_answer.answer(self.server.store, self._sender(), body))
        except RefusedError as error:
            self._send_json(_answer.error(str(error)), error.status, error.headers)

    def _stream(self, key: RunKey, body: bytes) -> None:
        if self._disturbed(f"file_stream:{key.id}", "file_stream"):
            return
        try:
            stopped = _filestream.receive(self.server.store, key, self._sender(), body)
            self._send_json({"limits": {}, "stopped": stopped})
        except RefusedError as error:
            self._send_json({"error": str(error)}, error.status, error.headers)

    def _take_file(self, key: RunKey, name: str, file: File) -> None:
        if self._disturbed(f"upload:{key.id}/{name}", "upload"):
            return
        with self.server.store.changing():
            run = self.server.store.runs.get(key)
            if run is not None:
                run.files[name] = file
        self._send_json({}, 404 if run is None else 200)

    def _send_file(self, key: RunKey, name: str) -> None:
        with self.server.store.changing():
            run = self.server.store.runs.get(key)
            file = None if run is None else run.files.get(name)
        kind = "download" if self.command == "GET" else "head"
        if not self._disturbed(f"{kind}:{key.id}/{name}", kind, file=file):
            self._send_content(file)

    def _take_artifact(self, file: File) -> None:
        """Take a manifest, a part of a file, or a file. The content of a file has to be the one that was announced."""
        if self._disturbed(f"artifact_upload:{self._query('name')}", "artifact_upload"):
            return
        digest, part, artifact_id = (self._query(name) for name in ("digest", "part", "artifact"))
        announced = base64.b64encode(bytes.fromhex(self._query("md5"))).decode() if part else digest
        fits = announced in ("", file.md5)
        with self.server.store.changing():
            artifacts = self.server.store.artifacts
            if fits and part:
                artifacts.parts.setdefault(digest, {})[int(part)] = file
            elif fits and digest:
                artifacts.contents[digest] = file
            elif fits:
                artifacts.by_id[artifact_id].set_manifest(file)
        self._send(200 if fits else 400, _BINARY, b"", {"ETag": f'"{file.size}"'})

    def _send_artifact(self, parts: list[str]) -> None:
        """Send a manifest, or a file: by its digest, which the client also writes in hexadecimal digits into a path."""
        digest = self._query("digest") or "".join(
            base64.b64encode(bytes.fromhex(part)).decode() for part in parts[-2:-1]
        )
        with self.server.store.changing():
            artifacts = self.server.store.artifacts
            artifact, content = artifacts.by_id.get(self._query("artifact")), artifacts.contents.get(digest)
        file = artifact.manifest if artifact else content
        if not self._disturbed(f"artifact_download:{self._query('name')}", "artifact_download", file=file):
            self._send_content(file)

    def _send_page(self, parts: list[str]) -> None:
        from ..pages import _pages  # few ask for them, and drawing needs much that a server does without

        if self._disturbed("page"):
            return
        store = self.server.store
        with store.changing():
            sweeps = [store.sweep_record(one) for one in store.sweeps.by_id.values()]
            artifacts = [store.artifacts.record(one) for one in store.artifacts.by_id.values()]
            html = _pages.page(store.records(), sweeps, artifacts, parts)
        status, text = (404, _pages.not_found(self.path)) if html is None else (200, html)
        self._send(status, _HTML, text.encode())

    def _disturbed(self, *names: str, file: File | None = None) -> bool:
        """Count a request by its names, and tell whether a fault has answered it.

        Args:
            names: What it is, the closest name first.
            file: What is answered in part where the connection ends.
        """
        fault = self.server.store.meet((*names, EVERY))
        if fault is None:
            return False
        if not fault.drop:
            self._send_fault(fault)
        else:
            self.close_connection = True
            if file is not None:
                self._send(200, _BINARY, file.chunks(0, file.size // 2), {"Content-Length": str(file.size)})
        return True

    def _send_fault(self, fault: Fault) -> None:
        status = fault.status or 500
        wait = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        if fault.body is not None:
            self._send(status, _HTML, fault.body.encode(), wait)
            return
        self._send_json(_answer.error(f"the test asked for the status {status}"), status, wait)

    def _parts(self) -> list[str]:
        path = urlsplit(self.path).path
        return [unquote(part) for part in path.strip("/").split("/")]

    def _query(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True).get(name, [""])[0]

    def _read_all(self) -> bytes:
        content = b"".join(self._body())
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def _body(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._chunks()
        return self._read(int(self.headers.get("Content-Length") or 0))

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            content = self.rfile.read(min(size, _PIECE))
            if not content:
                raise ConnectionError("the client has gone before the end of its request")
            size -= len(content)
            yield content

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _send_json(self, value: dict[str, Any], status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), headers)

    def _send_content(self, file: File | None) -> None:
        """Answer with a file, or with that range of it that is asked for, as the client does from 2 GiB on."""
        if file is None:
            self._send(404, _BINARY, b"")
            return
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, _BINARY, file.chunks(), {"Content-Length": str(file.size)})
            return
        first, last = int(wanted[1]), min(int(wanted[2] or file.size), file.size - 1)
        headers = {"Content-Range": f"bytes {first}-{last}/{file.size}", "Content-Length": str(last + 1 - first)}
        self._send(206, _BINARY, file.chunks(first, last + 1), headers)

    def _send(
        self,
        status: int,
        content_type: str,
        content: bytes | Iterable[bytes],
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> None:
        """Answer with a content; of one that comes in pieces the headers say the length."""
        pieces, size = (
            ([content], {"Content-Length": str(len(content))}) if isinstance(content, bytes) else (content, {})
        )
        self.send_response(status)
        for name, value in {"Content-Type": content_type, **size, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces if self.command != "HEAD" else ():
            self.wfile.write(piece)
