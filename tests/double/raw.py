"""Requests that no client of W&B sends, or not at will."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from flyte_wandb.testing import WandbServer


def ask(server: WandbServer, query: str, **variables: object) -> dict[str, Any]:
    """Send a GraphQL request and return the body of the answer."""
    content = json.dumps({"query": query, "variables": variables}).encode()
    with urlopen(Request(f"{server.url}/graphql", data=content)) as answer:
        body: dict[str, Any] = json.loads(answer.read())
        return body
