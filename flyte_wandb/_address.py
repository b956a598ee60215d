"""The address of the W&B page that a request leads to."""

from __future__ import annotations

from dataclasses import dataclass

from flyte_wandb_hookspecs import Request, quote_segment

from . import _client, _hosts
from ._loader import installed
from ._opening import Place, place
from ._plan import plan


@dataclass(frozen=True, kw_only=True)
class _Page:
    server: str
    project: str | None


def address(request: Request) -> str:
    """Return the page that `build_link` names, or the server's where nobody knows entity or project.

    Raises:
        FlyteWandbError: The request cannot be planned, or a plugin's address is none.
    """
    planned = plan(request)
    page = _project_page(place(request, planned))
    if page.project is None:
        return page.server
    asked = {"request": request, "plan": planned, "project_url": page.project}
    return str(installed().decide("build_link", _url_fault, **asked).value)


def _project_page(where: Place) -> _Page:
    """Find the pages of the server and the project; what the settings leave open, W&B's own configuration names."""
    app, entity, project = _client.client_place()
    entity, project = where.entity or entity, where.project or project
    server = _hosts.app_url(where.host) if where.host else app
    known = f"{server}/{quote_segment(entity)}/{quote_segment(project)}" if entity and project else None
    return _Page(server=server, project=known)


def _url_fault(value: object) -> str | None:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return None
    return "a link is an http or https address"
