"""One call of a GraphQL operation, and the parts that several answers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, TypeVar
from urllib.parse import quote

from ..state._run import Run, RunKey, Sender
from ..state._store import Store

T = TypeVar("T")

EPOCH: Final = "1970-01-01T00:00:00Z"
"""When everything happened of which the double does not note the time."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation. Of its variables, those that the client leaves out are missing or None."""

    store: Store
    sender: Sender
    name: str
    query: str
    variables: Mapping[str, Any]

    @property
    def input(self) -> Mapping[str, Any]:
        """The arguments, those of a mutation's input among them."""
        return {**self.variables, **(self.variables.get("input") or {})}

    def page(self, items: Sequence[T], node: Callable[[T], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the page of a list that is asked for."""
        return connection(items, node, self.variables.get("cursor"), self.variables.get("perPage"))

    def place(self) -> tuple[str, str]:
        """Return which entity and project are meant."""
        told = self.input
        entity, project = (told.get(f"{name}Name") or told.get(name) for name in ("entity", "project"))
        return self.store.place(entity, project)

    def key(self, *names: str) -> RunKey:
        """Return which run is meant: by the server's id of it, else by the first of these variables that is there.

        Args:
            names: Variables that may have the run's id. Default: ``name``.
        """
        told = self.input
        known = self.store.find_by_url(told.get("id"))
        if known is not None:
            return known.key
        run_id = next((told[name] for name in names or ("name",) if name in told), None)
        return self.store.key(*self.place(), run_id)

    def run(self, *names: str) -> Run | None:
        """Return the run that is meant (see `key`), or None if it does not exist."""
        return self.store.runs.get(self.key(*names))

    def in_project(self, **answer: Any) -> dict[str, Any]:
        """Return an answer about a project; its project is null if it does not exist."""
        place = self.place()
        project = {"id": "1", "internalId": "1", "name": place[1], **answer}
        return {"project": project if place in self.store.projects else None}

    def file_url(self, key: RunKey, name: str) -> str:
        """Return where a file of a run is uploaded to and downloaded from.

        The name is a parameter, for a client may change a path such as ``a/../b`` before it asks.
        """
        folder = "/".join(quote(part, safe="") for part in key)
        return f"{self.store.url}/files/{folder}?name={quote(name, safe='')}"


def file_node(name: str, url: str, size: int, md5: str) -> dict[str, Any]:
    """Return the answer about a file."""
    return {
        "__typename": "File",
        "id": url,
        "name": name,
        "url": url,
        "directUrl": url,
        "storagePath": md5,
        "sizeBytes": size,
        "mimetype": None,
        "updatedAt": EPOCH,
        "digest": md5,
        "md5": md5,
    }


Answer = Callable[[Call], dict[str, Any]]
"""Gives the `data` of an answer."""

ANSWERS: Final[dict[str, Answer]] = {}
"""Who answers an operation, by its name; `answers` fills it."""


def answers(*operations: str) -> Callable[[Answer], Answer]:
    """Have a function answer these operations, while nobody else changes the store."""

    def register(answer: Answer) -> Answer:
        ANSWERS.update(dict.fromkeys(operations, answer))
        return answer

    return register


def entity(name: str) -> dict[str, str]:
    """Return a user or team."""
    return {"id": name, "name": name}


def connection(
    items: Sequence[T], node: Callable[[T], Mapping[str, Any]], after: str | None = None, first: int | None = None
) -> dict[str, Any]:
    """Return one page of a list in GraphQL's form: at most `first` items after that with the cursor `after`."""
    start = 0 if after is None else int(after) + 1
    page = items[start : None if first is None else start + first]
    edges = [{"node": node(item), "cursor": str(number)} for number, item in enumerate(page, start=start)]
    more = start + len(page) < len(items)
    end = edges[-1]["cursor"] if edges else after
    return {"edges": edges, "pageInfo": {"endCursor": end, "hasNextPage": more}, "totalCount": len(items)}


def instant(seconds: float) -> str:
    """Return a time as W&B writes it."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
