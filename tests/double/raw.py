"""Requests that no client of W&B sends, or not at will."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from flyte_wandb.testing import WandbServer


def ask(server: WandbServer, query: str, **variables: object) -> dict[str, Any]:
    """Send a GraphQL request and return the body of the answer."""
    return _post(f"{server.url}/graphql", {"query": query, "variables": variables})


def stream(server: WandbServer, entity: str, project: str, run_id: str) -> dict[str, Any]:
    """Send an empty request of a run's file stream, as a heartbeat is, and return the body of the answer."""
    return _post(f"{server.url}/files/{entity}/{project}/{run_id}/file_stream", {})


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    with urlopen(Request(url, data=json.dumps(body).encode())) as answer:
        told: dict[str, Any] = json.loads(answer.read())
        return told
