"""GraphQL requests, answered by the name of their operation; what fields it asks for is not looked at, or hardly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..rules._limits import RefusedError
from ..state._run import Sender
from ..state._store import Store
from . import _accounts, _artifacts, _reading, _sweeps, _writing  # noqa: F401 - they have the answers
from ._calls import ANSWERS, Call

_OPERATION: Final = re.compile(r"\b(?:query|mutation)\s+(\w+)")


def operation(body: Mapping[str, Any]) -> str:
    """Return the name of the operation that a request asks for."""
    found = _OPERATION.search(body.get("query") or "")
    return found[1] if found else "(without a name)"


def answer(store: Store, sender: Sender, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``{"query": text, "variables": {...}}`` with ``{"data": ...}``, or with an error that names the operation.

    Raises:
        RefusedError: The request is not obeyed.
    """
    name = operation(body)
    if not sender.logged_in and name not in _accounts.ANONYMOUS:
        raise RefusedError("user is not logged in", 401)
    call = Call(store, sender, name, body["query"], body.get("variables") or {})
    with store.changing():
        try:
            if name not in ANSWERS:
                raise NotImplementedError("it does not have this operation of W&B's server")
            return {"data": ANSWERS[name](call)}
        except RefusedError:
            raise
        except Exception as fault:  # without an answer the client would try again, often for minutes
            store.unknown_operations.append(name)
            return error(f"the W&B double of flyte-wandb cannot answer {name}: {fault!r}")


def error(message: str) -> dict[str, Any]:
    """Return the body of an answer that only says what went wrong."""
    return {"data": None, "errors": [{"message": message}]}
