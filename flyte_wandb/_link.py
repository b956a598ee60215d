"""The link in Flyte's UI. Light: what plans the run that it leads to is imported when Flyte asks for the address."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import flyte

from ._action import Action
from ._spec import Spec

_LOG = logging.getLogger("flyte_wandb")


@dataclass(frozen=True, kw_only=True)
class Wandb(flyte.Link):
    """A link to the W&B page of a task's run. `wandb_init` adds it; stateless, for Flyte uses one object for all calls.

    Attributes:
        name: What Flyte's UI shows.
        icon_uri: An icon for it.
        spec: The decorator's settings and the declared world.
        rank: The rank of the declared world whose run or group is meant; None for the project's page.
    """

    name: str = "Weights & Biases"
    icon_uri: str | None = "https://wandb.ai/favicon.ico"
    spec: Spec = field(default_factory=Spec)
    rank: int | None = 0

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
            from ._address import address

            action = Action(
                run_name=run_name, name=action_name, project=project, domain=domain, local=False, context=context
            )
            return address(self.spec, action, rank=self.rank)
        except Exception:
            _LOG.warning("no W&B link for %s: the plan cannot be made here", self.spec.task_name, exc_info=True)
            return ""
