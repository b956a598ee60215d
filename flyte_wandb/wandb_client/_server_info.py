"""Asking a W&B server, within seconds: is it there, does it know the key, which version is it, may the key write?

W&B's own client tries again for a minute and a half before it says that nobody listens.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .._logging import quoted
from .._place import without_userinfo

_VIEWER: Final = (
    "query Viewer { viewer { entity username teams { edges { node { name } } } } "
    "serverInfo { latestLocalVersionInfo { versionOnThisInstanceString } } }"
)
_ENTITY: Final = "query GetTeamEntity($name: String!) { entity(name: $name) { name available } }"
_PROJECT: Final = (
    "query IsProjectReadOnly($entity: String!, $project: String!) "
    "{ project(entityName: $entity, name: $project) { readOnly } }"
)
_REFUSED: Final = (401, 403)
"""Answers of a server, or of a proxy in front of it, that does not take the key."""
_NO_WANDB: Final = "its answer is not that of a W&B server"
_MOST: Final = 1 << 20
"""Bytes of an answer that are read at most. W&B's has some hundred; whatever else answers there may have no end."""


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """A server's version, and the user of the key that asked it.

    Attributes:
        user: The user that the key belongs to, or None if the server does not know the key.
        entity: The user's default entity, or None.
        version: The version of a self-hosted or dedicated server; None on W&B's own clouds.
        teams: The entities that the user belongs to.
    """

    user: str | None
    entity: str | None
    version: str | None
    teams: tuple[str, ...] = ()


Access = Literal["write", "read", "absent"]
"""What a key may do in a project; W&B does not tell a project that is not there from one that a key cannot see."""


def ask_server(base_url: str, key: str | None, *, timeout: float) -> ServerInfo:
    """Ask the API at `base_url` who the key belongs to.

    Args:
        base_url: Where the API listens, without a trailing slash.
        key: The API key, or None to ask without one.
        timeout: Seconds to wait at most for each step of the connection.

    Raises:
        OSError: Nobody answers there, or with an error.
        ValueError: A program that is not a W&B server answers.
    """
    try:
        return _read_viewer(_ask(base_url, key, timeout, "Viewer", _VIEWER))
    except HTTPError as error:
        if error.code in _REFUSED:
            return ServerInfo(user=None, entity=None, version=None)
        raise


def has_entity(base_url: str, key: str, entity: str, *, timeout: float) -> bool:
    """Return whether there is a user or team of this name that the key can see.

    Args:
        base_url: Where the API listens, without a trailing slash.
        key: The API key.
        entity: The name.
        timeout: Seconds to wait at most for each step of the connection.

    Raises:
        OSError: Nobody answers there, or with an error.
        ValueError: The answer is not that of a W&B server.
    """
    data = _ask(base_url, key, timeout, "GetTeamEntity", _ENTITY, name=entity)
    # A name that nobody has taken yet is "available"; some versions answer null instead.
    return bool(_part(data, "entity")) and _part(data, "entity").get("available") is not True


def project_access(base_url: str, key: str, entity: str, project: str, *, timeout: float) -> Access:
    """Return what the key may do in a project.

    Args:
        base_url: Where the API listens, without a trailing slash.
        key: The API key.
        entity: The user or team that owns the project.
        project: Its name.
        timeout: Seconds to wait at most for each step of the connection.

    Raises:
        OSError: Nobody answers there, or with an error.
        ValueError: The answer is not that of a W&B server.
    """
    data = _ask(base_url, key, timeout, "IsProjectReadOnly", _PROJECT, entity=entity, project=project)
    found = _part(data, "project")
    return "absent" if not found else "read" if found.get("readOnly") is True else "write"


def _ask(
    base_url: str, key: str | None, timeout: float, operation: str, query: str, **variables: str
) -> dict[str, Any]:
    """Return the data of the answer to one query."""
    body = json.dumps({"query": query, "variables": variables, "operationName": operation}).encode()
    headers = {"Content-Type": "application/json", **_login_headers(key)}
    request = Request(f"{without_userinfo(base_url)}/graphql", data=body, headers=headers)
    try:
        with urlopen(request, timeout=timeout) as answer:
            content = json.loads(answer.read(_MOST))
    except RecursionError as error:
        raise ValueError("its answer is nested too deeply") from error
    if isinstance(content, dict) and content.get("errors"):
        raise ValueError(f"it answers with an error: {quoted(content['errors'])}")
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict):
        raise ValueError(_NO_WANDB)
    return data


def _login_headers(key: str | None) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"api:{key}".encode()).decode()} if key else {}


def _read_viewer(data: dict[str, Any]) -> ServerInfo:
    viewer, local = _part(data, "viewer"), _part(_part(data, "serverInfo"), "latestLocalVersionInfo")
    return ServerInfo(
        user=_text(viewer, "username") or _text(viewer, "entity"),
        entity=_text(viewer, "entity"),
        version=_text(local, "versionOnThisInstanceString"),
        teams=tuple(filter(None, (_text(_part(edge, "node"), "name") for edge in _edges(_part(viewer, "teams"))))),
    )


def _edges(connection: dict[str, Any]) -> list[dict[str, Any]]:
    edges = connection.get("edges") or []
    if not isinstance(edges, list) or not all(isinstance(edge, dict) for edge in edges):
        raise ValueError(_NO_WANDB)
    return edges


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
