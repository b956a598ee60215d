"""Sweeps: making one, finding one again, what W&B's agent tells a trial, and what its controller tells an agent."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._place import Place
from ._agent_room import use_own_client
from ._api import execute_query
from ._opening import Opening
from ._run import close_run, open_run

if TYPE_CHECKING:
    import wandb

_SECONDS: Final = 30.0
"""How long an agent waits for an answer."""

_CREATE_AGENT: Final = """
mutation CreateAgent($host: String!, $projectName: String, $entityName: String, $sweep: String!) {
    createAgent(input: {host: $host, projectName: $projectName, entityName: $entityName, sweep: $sweep}) {
        agent { id }
    }
}
"""
_HEARTBEAT: Final = """
mutation Heartbeat($id: ID!, $metrics: JSONString, $runState: JSONString) {
    agentHeartbeat(input: {id: $id, metrics: $metrics, runState: $runState}) {
        agent { id }
        commands
    }
}
"""
_NO_PROJECT: Final = "uncategorized"
"""The project of runs and sweeps that name none."""
_LIVE: Final = ("RUNNING", "PAUSED", "PENDING")
"""States of a sweep that still gives trials to agents, or will again."""


def create_sweep(config: Mapping[str, Any], prior_runs: Sequence[str]) -> tuple[str, Place]:
    """Make a sweep where W&B's variables of this process say, and return its id and its place. Blocks.

    Call it inside `allow_agents`: W&B's function changes the variables.

    Raises:
        Exception: W&B refused the configuration, or did not answer.
    """
    import wandb

    with use_own_client():
        sweep_id = wandb.sweep(dict(config), prior_runs=list(prior_runs))
    place = {name: os.environ.get(f"WANDB_{name.upper()}") for name in ("project", "entity")}
    return sweep_id, Place(host=os.environ.get("WANDB_BASE_URL"), **place)


def find_sweep(api: wandb.Api, where: Place, name: str) -> tuple[str, Place] | None:
    """Return id and place of a sweep of a project that has this name and still goes on, or None. Blocks.

    Args:
        api: W&B's API at the place.
        where: The place.
        name: The name in the sweep's configuration.

    Raises:
        Exception: There is no such project yet, or W&B did not answer.
    """
    project, entity = api.settings["project"] or _NO_PROJECT, api.settings["entity"] or api.default_entity
    for sweep in api.project(project, entity).sweeps():
        if sweep.config.get("name") == name and sweep.state in _LIVE:
            return sweep.id, Place(project=project, entity=entity, host=where.host)
    return None


def read_sweep_parameters(path: str | None) -> dict[str, Any]:
    """Return the parameters that W&B's agent has written to a file for its trial, ``{name: value}``.

    Raises:
        OSError: The file cannot be read.
        yaml.YAMLError: It is no YAML.
    """
    if not path:
        return {}
    import yaml

    # `wandb_version: 1`, then `name: {value: ...}` for each, in the encoding of the locale (wandb 0.29 to 0.31).
    entries = yaml.safe_load(Path(path).read_text()) or {}
    return {name: entry["value"] for name, entry in entries.items() if name != "wandb_version"}


def register_agent(api: wandb.Api, where: Place, sweep_id: str, name: str) -> str:
    """Register an agent, which may do one trial at a time, and return its id. Blocks.

    Raises:
        Exception: There is no such sweep, or W&B did not answer.
    """
    place = {"projectName": where.project, "entityName": where.entity}
    answer = execute_query(api, _CREATE_AGENT, {"host": name, "sweep": sweep_id, **place}, timeout=_SECONDS)
    return str(answer["createAgent"]["agent"]["id"])


def send_heartbeat(api: wandb.Api, agent_id: str, running: Sequence[str]) -> list[dict[str, Any]]:
    """Tell W&B's controller which trials an agent is running, and return what it wants done. Blocks.

    Returns:
        Commands, of which W&B's own agent follows the first: ``{"type": "run", "run_id", "args": {name: {"value"}}}``,
        ``{"type": "stop", "run_id"}`` or ``{"type": "exit"}``.

    Raises:
        Exception: The sweep was deleted, or W&B did not answer.
    """
    variables = {"id": agent_id, "metrics": "{}", "runState": json.dumps(dict.fromkeys(running, True))}
    answer = execute_query(api, _HEARTBEAT, variables, timeout=_SECONDS)
    commands: list[dict[str, Any]] = json.loads(answer["agentHeartbeat"]["commands"])
    return commands


def read_sweep_config(api: wandb.Api, where: Place, sweep_id: str) -> dict[str, Any]:
    """Return the configuration of a sweep. Blocks.

    Raises:
        Exception: There is no such sweep, or W&B did not answer.
    """
    sweep = api.sweep(f"{where.entity}/{where.project}/{sweep_id}")  # type: ignore[no-untyped-call]
    return dict(sweep.config)


def read_run_summary(api: wandb.Api, where: Place, run_id: str) -> dict[str, Any]:
    """Return the summary of a run, without W&B's own keys. Blocks.

    Raises:
        Exception: There is no such run, or W&B did not answer.
    """
    summary = dict(api.run(f"{where.entity}/{where.project}/{run_id}").summary_metrics)
    return {name: value for name, value in summary.items() if not name.startswith("_")}


def fail_pending_run(api: wandb.Api, where: Place, sweep_id: str, run_id: str) -> None:
    """End the run of a trial that nobody has opened as a failed one: W&B would wait for it for good. Blocks.

    Raises:
        Exception: There is no such run, or W&B did not answer.
    """
    if api.run(f"{where.entity}/{where.project}/{run_id}").state != "pending":
        return
    arguments = {"project": where.project, "entity": where.entity, "resume": "allow"}
    settings = {"sweep_id": sweep_id, "console": "off", "x_disable_stats": True}
    close_run(open_run(Opening(run_id=run_id, host=where.host, arguments=arguments, settings=settings)), 1)
