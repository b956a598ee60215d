"""Building the request of a task, from Flyte's context, the environment and the decorator."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from flyte_wandb_hookspecs import Request, Topology

from .._action import NAMELESS, Action, attempt_here
from ..settings._config import config_in_force
from ..settings._context import read_settings
from ..settings._merge import merged
from ..settings._schema import checked
from ._inherited import agents_trial, read_run, read_trial
from ._plan import detect_topology
from ._spec import Spec
from ._world import rank_of

ON_ERROR_VARIABLE: Final = "FLYTE_WANDB_ON_ERROR"
"""Environment variable for `on_error` where neither decorator nor context sets it."""


def request_of_task(spec: Spec, action: Action) -> Request:
    """Ask for the running task: its names from Flyte, its rank from the launcher.

    Flyte's local mode runs a distributed task as one process; it is rank 0 of the world that it declares.
    """
    topology = spec.declared if action.local and spec.declared else _launched()
    return replace(_request(spec, action, topology), attempt=attempt_here())


def request_of_link(spec: Spec, action: Action, rank: int = 0) -> Request:
    """Ask for a rank of the declared world before the task runs: the names may be Flyte's placeholders."""
    return _request(spec, action, rank_of(spec.declared, rank) if spec.declared else Topology())


def placeholder_request(spec: Spec, rank: int = 0) -> Request:
    """Ask for a rank of the declared world where nothing but the decorator is known."""
    return request_of_link(spec, NAMELESS, rank)


def request_outside_flyte(spec: Spec, name: str) -> Request:
    """Ask for a plain function outside of Flyte, which is an action of its own: a random run name and its own name.

    Under `wandb.agent` it is a trial.
    """
    settings = merged(_under(config_in_force()), spec.settings, parent=None, action_name=name)
    trial = agents_trial(os.environ)
    return Request(run_name=uuid.uuid4().hex[:8], action_name=name, settings=settings, trial=trial)


def _request(spec: Spec, action: Action, topology: Topology) -> Request:
    parent = read_run(action.context)
    return Request(
        run_name=action.run_name,
        action_name=action.name,
        flyte_project=action.project,
        flyte_domain=action.domain,
        task_name=spec.task_name,
        settings=merged(_under(action.context), spec.settings, parent=parent, action_name=action.name),
        topology=topology,
        parent=parent,
        trial=read_trial(action.context),
    )


def _under(context: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a context over those of the environment."""
    if ON_ERROR_VARIABLE not in os.environ:
        return read_settings(context)
    given = {"on_error": os.environ[ON_ERROR_VARIABLE]}
    return {**checked(given, f"{ON_ERROR_VARIABLE} as settings"), **read_settings(context)}


def _launched() -> Topology:
    return detect_topology(MappingProxyType(os.environ))
