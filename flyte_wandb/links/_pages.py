"""The W&B pages that exist whatever a task does: the server's, the entity's and the project's."""

from __future__ import annotations

from dataclasses import dataclass

from flyte_wandb_hookspecs import quote_segment

from .._place import Place, app_url
from ..wandb_client._configuration import configured_place


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Addresses without a trailing slash, from the outermost page inwards.

    Attributes:
        server: Where people open the server.
        entity: The page of the user or team, or None where nobody knows it.
        project: The project's page, or None where nobody knows entity or project.

    >>> Pages(server="https://w.example", entity="https://w.example/team", project=None).best
    'https://w.example/team'
    """

    server: str
    entity: str | None
    project: str | None

    @property
    def best(self) -> str:
        """The innermost page that exists for sure."""
        return self.project or self.entity or self.server


def find_pages(where: Place) -> Pages:
    """Return the pages above a run; what the settings leave open, W&B's own configuration names. Asks no server."""
    app, entity, project = configured_place()
    entity, project = where.entity or entity, where.project or project
    server = app_url(where.host) if where.host else app
    of_entity = f"{server}/{quote_segment(entity)}" if entity else None
    return Pages(
        server=server,
        entity=of_entity,
        project=f"{of_entity}/{quote_segment(project)}" if of_entity and project else None,
    )
