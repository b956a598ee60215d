"""Requests that no client of W&B sends, or not at will."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flyte_wandb.testing import WandbServer


def ask(server: WandbServer, query: str, **variables: object) -> dict[str, Any]:
    """Send a GraphQL request and return the body of the answer."""
    return _post(server, "graphql", {"query": query, "variables": variables})


def ask_with(key: str | None, server: WandbServer, query: str) -> dict[str, Any]:
    """Send a GraphQL request with a key, or without one."""
    return _post(server, "graphql", {"query": query, "variables": {}}, key)


def stream(
    server: WandbServer,
    entity: str,
    project: str,
    run_id: str,
    body: dict[str, Any] | None = None,
    key: str | None = "",
) -> dict[str, Any]:
    """Send a request of a run's file stream, an empty one as a heartbeat is, and return the body of the answer."""
    return _post(server, f"files/{entity}/{project}/{run_id}/file_stream", body or {}, key)


def head(url: str) -> tuple[bytes, bytes]:
    """Ask only for the head of an answer, and return it and whatever comes after it."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 80)) as connection:
        connection.sendall(f"HEAD {parts.path}?{parts.query} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    told, _, rest = answer.partition(b"\r\n\r\n")
    return told, rest


def _post(server: WandbServer, path: str, body: dict[str, Any], key: str | None = "") -> dict[str, Any]:
    key = server.environ["WANDB_API_KEY"] if key == "" else key
    login = {} if key is None else {"Authorization": f"Basic {base64.b64encode(f'api:{key}'.encode()).decode()}"}
    with urlopen(Request(f"{server.url}/{path}", data=json.dumps(body).encode(), headers=login)) as answer:
        told: dict[str, Any] = json.loads(answer.read())
        return told
