"""Requests that no client of W&B sends, or not at will."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from flyte_wandb.testing import WandbServer


def ask(server: WandbServer, query: str, **variables: object) -> dict[str, Any]:
    """Send a GraphQL request and return the body of the answer."""
    return _post(f"{server.url}/graphql", {"query": query, "variables": variables})


def stream(server: WandbServer, entity: str, project: str, run_id: str) -> dict[str, Any]:
    """Send an empty request of a run's file stream, as a heartbeat is, and return the body of the answer."""
    return _post(f"{server.url}/files/{entity}/{project}/{run_id}/file_stream", {})


def head(url: str) -> tuple[bytes, bytes]:
    """Ask only for the head of an answer, and return it and whatever comes after it."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 80)) as connection:
        connection.sendall(f"HEAD {parts.path}?{parts.query} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    told, _, rest = answer.partition(b"\r\n\r\n")
    return told, rest


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    with urlopen(Request(url, data=json.dumps(body).encode())) as answer:
        told: dict[str, Any] = json.loads(answer.read())
        return told
