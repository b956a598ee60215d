"""Webhooks on this machine: one that keeps what it is told, and one that never answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@dataclass(frozen=True)
class Webhook:
    """A web server on this machine.

    Attributes:
        address: Where to post. Below ``/broken`` it answers 500.
        posts: What was posted, read as JSON, in its order.
    """

    address: str
    posts: list[Any]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, posts: list[Any], *arguments: Any) -> None:
        self._posts = posts
        super().__init__(*arguments)

    def do_POST(self) -> None:
        if self.headers["Content-Type"] == "application/json":
            self._posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(500 if self.path.endswith("/broken") else 204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@contextmanager
def listening_webhook() -> Iterator[Webhook]:
    """Give a webhook that listens until the block ends."""
    posts: list[Any] = []
    with HTTPServer(("127.0.0.1", 0), partial(_Handler, posts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Webhook(f"http://127.0.0.1:{server.server_port}", posts)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nobody_answers() -> Iterator[str]:
    """Give the address of a server that accepts connections, and drops them unanswered when the block ends.

    Behind the block, nobody listens there any more.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/secret"
