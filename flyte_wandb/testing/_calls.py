"""One call of a GraphQL operation, and the parts that several answers have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ._run import RunKey, Sender
from ._store import Store


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes:
        store: The server's state.
        sender: Who sent the request.
        variables: The operation's arguments; what is left out is missing or None.
    """

    store: Store
    sender: Sender
    variables: Mapping[str, Any]

    def key(self, name: str = "name") -> RunKey:
        """Return which run is meant, by the variable that has its id."""
        return self.store.key(self.variables.get("entity"), self.variables.get("project"), self.variables.get(name))

    def file_url(self, key: RunKey, name: str) -> str:
        """Return where a file of a run is uploaded to and downloaded from."""
        folder = "/".join(quote(part, safe="") for part in key)
        return f"{self.store.url}/files/{folder}/{quote(name)}"


Answer = Callable[[Call], dict[str, Any]]
"""Gives the `data` of an answer."""


def entity(name: str) -> dict[str, str]:
    """Return a user or team."""
    return {"id": name, "name": name}


def connection(nodes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return nodes in GraphQL's form of a list, all on one page."""
    edges = [{"node": node, "cursor": str(number)} for number, node in enumerate(nodes)]
    return {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}, "totalCount": len(edges)}
