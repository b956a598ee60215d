"""The way back from a run to Flyte: what the run's configuration says about the action that opened it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from .._action import Action

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Request

IDENTITY_KEY: Final = "flyte"
"""Where the configuration of a run tells which Flyte action opened it."""

CONSOLE_VARIABLE: Final = "FLYTE_CONSOLE_ENDPOINT"
"""Environment variable of Flyte's own setting `console.endpoint`: the address of its UI."""

_IN_CLUSTER: Final = (".internal", ".local", ".svc")
"""Ends of names that only pods can resolve, such as ``flyteadmin.flyte.svc.cluster.local``."""


def build_identity(action: Action, request: Request) -> dict[str, Any]:
    """Return which action opens a run: `run`, `action`, `attempt` (from 1), `task`, `project`, `domain`, and its `url`.

    What is not known is left out: project, domain and page in local mode, and the page where Flyte's client knows no
    address that people can open. `restart` is there where a launcher has started its ranks again.

    >>> from flyte_wandb_hookspecs import Request
    >>> request = Request(run_name="r1", action_name="a0", task_name="env.train")
    >>> build_identity(Action(run_name="r1", name="a0"), request)
    {'run': 'r1', 'action': 'a0', 'attempt': 1, 'task': 'env.train'}
    """
    facts = {
        "run": action.run_name,
        "action": action.name,
        "attempt": request.attempt,
        "restart": request.topology.restart_count or None,
        "task": request.task_name,
        "project": action.project,
        "domain": action.domain,
        "url": _console_url(action),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _console_url(action: Action) -> str | None:
    if action.local or not action.project or not action.domain:
        return None
    console = _find_console()
    if console is None:
        return None
    place = (action.project, action.domain, action.run_name)
    if hasattr(console, "action_url"):  # from flyte 2.12 on
        return str(console.action_url(*place, action.name))
    return str(console.run_url(*place))


def _find_console() -> Any:
    """Return Flyte's maker of addresses for its UI, or None where it knows no address that people can open."""
    if endpoint := os.environ.get(CONSOLE_VARIABLE):
        # Private names of Flyte (2.6 to 2.12), which has no public way to the address of an action's page.
        from flyte.remote._client.controlplane import Console

        return Console(endpoint)
    from flyte._initialize import get_client

    try:
        client = get_client()
    except Exception:
        return None  # such as in a rank under Elastic, whose agent has the client
    return client.console if _browser_address(client.endpoint) else None


def _browser_address(endpoint: str) -> bool:
    host = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    name = (host.hostname or host.path.strip("/").partition(":")[0]).lower()
    return "." in name and not name.endswith(_IN_CLUSTER) and ".svc." not in name
