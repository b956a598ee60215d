"""The link in Flyte's UI, planned like the run that it leads to."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import flyte

from flyte_wandb_hookspecs import Request, Topology, quote_segment

from . import _client, _hosts
from ._context import read_run, read_settings
from ._loader import installed
from ._opening import Place, place
from ._plan import plan
from ._settings import merged
from ._spec import Spec

_LOG = logging.getLogger("flyte_wandb")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    server: str
    project: str | None


@dataclass(frozen=True, kw_only=True)
class Wandb(flyte.Link):
    """A link to the W&B page of a task's run. `wandb_init` adds it; stateless, for Flyte uses one object for all calls.

    Attributes:
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        spec: The decorator's settings and the declared world.
    """

    name: str = "Weights & Biases"
    icon_uri: str | None = "https://wandb.ai/favicon.ico"
    spec: Spec = field(default_factory=Spec)

    def get_link(
        self,
        run_name: str,
        project: str,
        domain: str,
        context: dict[str, str],
        parent_action_name: str,
        action_name: str,
        pod_name: str,
        **kwargs: Any,
    ) -> str:
        """Return the URL of the page; names may be Flyte's placeholders. Never raises: submitting a task would fail."""
        try:
            return self._link(run_name, project, domain, context, action_name)
        except Exception:
            _LOG.warning("no W&B link for %s: the plan cannot be made here", self.spec.task_name, exc_info=True)
            return ""

    def _link(self, run_name: str, project: str, domain: str, context: dict[str, str], action_name: str) -> str:
        parent = read_run(context)
        request = Request(
            run_name=run_name,
            action_name=action_name,
            flyte_project=project,
            flyte_domain=domain,
            task_name=self.spec.task_name,
            settings=merged(read_settings(context), self.spec.settings, parent=parent, action_name=action_name),
            topology=self.spec.declared or Topology(),
            parent=parent,
        )
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
