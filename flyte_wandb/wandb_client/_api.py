"""W&B's public API, for one server, entity and project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._place import api_url
from ._agent_room import use_own_client

if TYPE_CHECKING:
    import wandb

    from .._place import Place


def connect_api(where: Place) -> wandb.Api:
    """Return W&B's API with a place as its default. Blocks while the server looks at the key.

    Raises:
        Exception: There is no key, the server does not know it, or nobody answers.
    """
    import wandb

    overrides = {"project": where.project, "entity": where.entity}
    overrides["base_url"] = api_url(where.host) if where.host else None
    with use_own_client():  # `Api` logs in with the client that W&B's functions find
        return wandb.Api(overrides={name: value for name, value in overrides.items() if value})


def execute_query(api: wandb.Api, query: str, variables: Mapping[str, Any], *, timeout: float) -> Any:
    """Send one GraphQL operation and return the `data` of its answer. Blocks.

    Args:
        api: From `connect_api`.
        query: The operation.
        variables: Its arguments.
        timeout: Seconds to wait at most.

    Raises:
        Exception: The server refused it, or did not answer in time.
    """
    # Private: W&B's public API has no function for an operation of one's own.
    return api._service_api.execute_graphql(query, variables=variables, timeout=timeout)
