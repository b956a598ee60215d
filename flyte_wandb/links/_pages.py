"""The W&B pages that exist whatever a task does: the server's, the entity's and the project's."""

from __future__ import annotations

from dataclasses import dataclass

from flyte_wandb_hookspecs import quote_segment

from .._place import Place, app_url, without_userinfo
from ..settings._limits import ENTITY, PROJECT
from ..wandb_client._configuration import configured_place, variables_place


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Addresses without a trailing slash, from the outermost page inwards.

    Attributes:
        server: Where people open the server.
        entity: The page of the user or team, or None where nobody knows it.
        project: The project's page, or None where nobody knows entity or project.
        missing: Which of the settings ``entity`` and ``project`` nobody has set here.

    >>> Pages(server="https://w.example", entity="https://w.example/team", project=None).best
    'https://w.example/team'
    """

    server: str
    entity: str | None
    project: str | None
    missing: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The innermost page that exists for sure."""
        return self.project or self.entity or self.server


def find_pages(place: Place) -> Pages:
    """Return the pages above a run. W&B's own configuration fills in what the place leaves open. Asks no server."""
    server, entity, project = app_url(place.host) if place.host else None, place.entity, place.project
    # The variables first: W&B's client, which has its files too, takes 0.4 s to load.
    for read_place in (_variables_place, configured_place):
        if not (server and entity and project):
            app, other_entity, other_project = read_place()
            server, entity, project = server or app, entity or other_entity, project or other_project
    server = without_userinfo(server or "")
    entity_page = f"{server}/{quote_segment(entity)}" if entity else None
    # Only a server knows the entity that a key stands for, so without a named one there is no page below the server's.
    project_page = f"{entity_page}/{quote_segment(project)}" if entity_page and project else None
    missing = tuple(name for name, value in (("entity", entity), ("project", project)) if not value)
    return Pages(server=server, entity=entity_page, project=project_page, missing=missing)


def _variables_place() -> tuple[str | None, str | None, str | None]:
    """Return what W&B's variables name, but for what its client refuses, and says why."""
    server, entity, project = variables_place()
    return server, None if ENTITY.fault(entity) else entity, None if PROJECT.fault(project) else project
