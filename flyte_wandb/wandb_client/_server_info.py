"""Asking a W&B server, once and within seconds, whether it is there, knows the key, and which version it has.

W&B's own client tries again for a minute and a half before it says that nobody listens.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .._place import without_userinfo

_QUERY: Final = (
    "query Viewer { viewer { entity username } serverInfo { latestLocalVersionInfo { versionOnThisInstanceString } } }"
)
_REFUSED: Final = (401, 403)
"""Answers of a server, or of a proxy in front of it, that does not take the key."""
_NO_WANDB: Final = "its answer is none of a W&B server"
_MOST: Final = 1 << 20
"""Bytes of an answer that are read at most. W&B's has some hundred; whatever else answers there may have no end."""


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """A server's version, and whose key it was asked with.

    Attributes:
        user: Whose key it is, or None where the server does not know the key.
        entity: The user's default entity, or None.
        version: The version of a self-hosted or dedicated server; None on W&B's own clouds.
    """

    user: str | None
    entity: str | None
    version: str | None


def ask_server(base_url: str, key: str | None, *, timeout: float) -> ServerInfo:
    """Ask the API at `base_url` who the key belongs to.

    Args:
        base_url: Where the API listens, without a trailing slash.
        key: The API key, or None to ask without one.
        timeout: Seconds to wait at most for each step of the connection.

    Raises:
        OSError: Nobody answers there, or with an error.
        ValueError: What answers is no W&B server.
    """
    body = json.dumps({"query": _QUERY, "variables": {}, "operationName": "Viewer"}).encode()
    request = Request(
        f"{without_userinfo(base_url)}/graphql",
        data=body,
        headers={"Content-Type": "application/json", **_login_headers(key)},
    )
    try:
        with urlopen(request, timeout=timeout) as answer:
            return _read_answer(json.loads(answer.read(_MOST)))
    except RecursionError as error:
        raise ValueError("its answer is nested too deeply") from error
    except HTTPError as error:
        if error.code in _REFUSED:
            return ServerInfo(user=None, entity=None, version=None)
        raise


def _login_headers(key: str | None) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode()} if key else {}


def _read_answer(body: Any) -> ServerInfo:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise ValueError(_NO_WANDB)
    viewer, local = _part(data, "viewer"), _part(_part(data, "serverInfo"), "latestLocalVersionInfo")
    return ServerInfo(
        user=_text(viewer, "username") or _text(viewer, "entity"),
        entity=_text(viewer, "entity"),
        version=_text(local, "versionOnThisInstanceString"),
    )


def _part(answer: dict[str, Any], name: str) -> dict[str, Any]:
    part = answer.get(name) or {}
    if not isinstance(part, dict):
        raise ValueError(_NO_WANDB)
    return part


def _text(answer: dict[str, Any], name: str) -> str | None:
    text = answer.get(name)
    if text is not None and not isinstance(text, str):
        raise ValueError(_NO_WANDB)
    return text
