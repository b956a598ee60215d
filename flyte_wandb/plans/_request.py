"""Building the request of a task, from Flyte's context, the environment and the decorator."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flyte_wandb_hookspecs import Request, Topology

from .._action import NAMELESS, Action, current_attempt
from ..plugins._loading import get_manager
from ..settings._config_values import ConfigFile
from ..settings._merge import merge_settings, read_settings_over_environ
from ._inherited import read_run, read_trial
from ._plan import detect_topology
from ._spec import Spec
from ._world import is_even, topology_of_rank


def build_task_request(spec: Spec, action: Action) -> Request:
    """Build the request of the running task: its names from Flyte, its rank from the launcher.

    Flyte's local mode runs a distributed task as one process. It is rank 0 of the world that the task declares, unless
    a launcher started it as a rank.
    """
    topology = detect_own_topology()
    if action.local and spec.declared and not topology.distributed:
        topology = spec.declared
    return _build_request(spec, _read_config_file(spec.settings), action, topology, attempt=current_attempt())


def build_link_request(spec: Spec, action: Action, rank: int = 0) -> Request:
    """Build the request of a rank of the declared world before the task runs. Names may be Flyte's placeholders.

    In local mode the task runs in this very process. If the task declares no world, this process's rank counts.
    """
    decorator = spec.settings
    if isinstance(decorator.get("config"), ConfigFile):
        # The file may be on the machine of the task only, and no link depends on it.
        decorator = {name: value for name, value in decorator.items() if name != "config"}
    if spec.declared:
        return _build_request(spec, decorator, action, topology_of_rank(spec.declared, rank))
    started = detect_own_topology() if action.local else Topology()
    # Of nodes of different sizes nobody can say which ranks the others have.
    return _build_request(spec, decorator, action, started if is_even(started) else Topology())


def build_placeholder_request(spec: Spec, rank: int = 0) -> Request:
    """Build the request of a rank of the declared world where only the decorator is known."""
    return build_link_request(spec, NAMELESS, rank)


def build_request_outside_flyte(spec: Spec, name: str) -> Request:
    """Build the request of a plain function outside of Flyte: an action with a random run name and its own name."""
    from ..settings._config import config_in_force  # brings the settings of sweeps, which decoration does without

    decorator = _read_config_file(spec.settings)
    settings = merge_settings(read_settings_over_environ(config_in_force()), decorator, parent=None, action_name=name)
    # 8 characters, as W&B's own random ids have. `uuid4` does not use the random numbers that the user's code may seed.
    run_name = uuid.uuid4().hex[:8]
    return Request(run_name=run_name, action_name=name, settings=settings)


def _read_config_file(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    config = settings.get("config")
    return {**settings, "config": config.read()} if isinstance(config, ConfigFile) else settings


def detect_own_topology() -> Topology:
    """Return which rank this process is.

    Raises:
        HookError: A launcher's variables are missing, not numbers, or contradict each other.
    """
    # Each time: a launcher may go by more than the environment, such as by what its library knows later. Read-only: a
    # plugin that changed the environment would answer for all that are asked after it.
    return detect_topology(MappingProxyType(os.environ), get_manager())


def _build_request(
    spec: Spec, decorator: Mapping[str, Any], action: Action, topology: Topology, *, attempt: int = 1
) -> Request:
    parent = read_run(action.context)
    return Request(
        run_name=action.run_name,
        action_name=action.name,
        flyte_project=action.project,
        flyte_domain=action.domain,
        task_name=spec.task_name,
        settings=merge_settings(
            read_settings_over_environ(action.context), decorator, parent=parent, action_name=action.name
        ),
        topology=topology,
        parent=parent,
        trial=read_trial(action.context),
        attempt=attempt,
    )
