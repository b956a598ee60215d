"""GraphQL requests, answered by the name of their operation; what fields it asks for is not looked at, or hardly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from . import _accounts, _artifacting, _reading, _sweeping, _writing
from ._calls import Call
from ._limits import RefusedError
from ._run import Sender
from ._store import Store

_OPERATION: Final = re.compile(r"\b(?:query|mutation)\s+(\w+)")
_ROOMS: Final = (_accounts, _writing, _reading, _sweeping, _artifacting)
_ANSWERS: Final = {name: answer for room in _ROOMS for name, answer in room.ANSWERS.items()}
_NOT_LOGGED_IN: Final = "user is not logged in"


def operation(body: Mapping[str, Any]) -> str:
    """Return the name of the operation that a request asks for."""
    found = _OPERATION.search(body.get("query") or "")
    return found[1] if found else "(without a name)"


def answer(store: Store, sender: Sender, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer one GraphQL request.

    Args:
        store: The server's state.
        sender: Who sent the request.
        body: ``{"query": text, "variables": {...}}``.

    Returns:
        ``{"data": ...}``, or ``{"errors": [{"message": ...}]}`` where the operation cannot be answered.

    Raises:
        RefusedError: The request is not obeyed.
    """
    name = operation(body)
    if not sender.logged_in and name not in _accounts.ANONYMOUS:
        raise RefusedError(_NOT_LOGGED_IN, 401)
    try:
        return {"data": _ANSWERS[name](Call(store, sender, name, body["query"], body.get("variables") or {}))}
    except RefusedError:
        raise
    except Exception as fault:  # without an answer the client would try again, often for minutes
        store.note_unknown(name)
        return error(f"the W&B double of flyte-wandb cannot answer {name}: {fault!r}")


def error(message: str) -> dict[str, Any]:
    """Return the body of an answer that only says what went wrong."""
    return {"data": None, "errors": [{"message": message}]}
