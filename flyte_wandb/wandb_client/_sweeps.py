"""Sweeps: making one, finding one again, what W&B's agent tells a trial, and what its controller tells an agent."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte_wandb_hookspecs import plain_copy

from .._place import Place
from ._api import execute_query
from ._opening import Opening
from ._reader import RemoteRun
from ._run import close_run, open_run

if TYPE_CHECKING:
    import wandb

_LOG: Final = logging.getLogger("flyte_wandb")

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
_CREATE_SWEEP: Final = """
mutation UpsertSweep(
    $config: String, $description: String, $entityName: String, $projectName: String, $priorRunsFilters: JSONString
) {
    upsertSweep(input: {
        config: $config,
        description: $description,
        entityName: $entityName,
        projectName: $projectName,
        priorRunsFilters: $priorRunsFilters
    }) {
        sweep { name project { name entity { name } } }
        configValidationWarnings
    }
}
"""
_NO_PROJECT: Final = "uncategorized"
"""The project of runs and sweeps that name none."""
_LIVE: Final = ("RUNNING", "PAUSED", "PENDING")
"""States of a sweep that still gives trials to agents, or will again."""


def create_sweep(
    api: wandb.Api, where: Place, config: Mapping[str, Any], prior_runs: Sequence[str]
) -> tuple[str, Place]:
    """Make a sweep and return its id and its place. Blocks.

    Unlike `wandb.sweep` it neither reads nor sets W&B's variables, which are those of the whole process.

    Raises:
        Exception: W&B refused the configuration, or did not answer.
    """
    variables = {
        "config": _as_yaml(_name_distributions(config)),
        "description": config.get("description"),
        "entityName": where.entity or api.settings["entity"],
        "projectName": where.project or api.settings["project"],
        "priorRunsFilters": json.dumps({"$or": [{"name": run_id} for run_id in prior_runs]}) if prior_runs else None,
    }
    answer = execute_query(api, _CREATE_SWEEP, variables, timeout=_SECONDS)["upsertSweep"]
    for warning in answer.get("configValidationWarnings") or ():
        _LOG.warning("W&B's warning about the sweep's configuration: %s", warning)
    sweep, project = answer["sweep"], answer["sweep"]["project"]
    return sweep["name"], Place(project=project["name"], entity=project["entity"]["name"], host=where.host)


def _name_distributions(config: Mapping[str, Any]) -> dict[str, Any]:
    """Name the distribution of every range, as W&B's client does before it asks for a sweep (wandb 0.31)."""
    parameters = {name: _name_distribution(name, value) for name, value in config["parameters"].items()}
    return {**config, "parameters": parameters}


def _name_distribution(name: str, parameter: Any) -> Any:
    match parameter:
        case {"distribution": _}:
            return parameter
        case {"min": int(), "max": int()}:
            return {**parameter, "distribution": "int_uniform"}
        case {"min": float(), "max": float()}:
            return {**parameter, "distribution": "uniform"}
        case {"min": low, "max": high}:
            raise ValueError(
                f"the ends of the parameter {name!r}, {low!r} and {high!r}, are not both whole numbers and not both "
                "floats; write 1.0 for 1, or name its distribution"
            )
    return parameter


def _as_yaml(config: Mapping[str, Any]) -> str:
    """Write a configuration as YAML, with every text in quotes: ``008`` is a number for some readers."""
    import yaml

    class Quoting(yaml.SafeDumper):  # type: ignore[misc]  # without types
        """Writes texts so that no reader takes them for anything else."""

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="'"))
    return str(yaml.dump(json.loads(json.dumps(plain_copy(config))), Dumper=Quoting))


def find_sweep(api: wandb.Api, where: Place, name: str) -> tuple[str, Place] | None:
    """Return id and place of a running sweep of a project with this name, or None. Blocks.

    Args:
        api: W&B's API at the place.
        where: The place.
        name: The name in the sweep's configuration.

    Raises:
        Exception: There is no such project yet, or W&B did not answer.
    """
    project = where.project or api.settings["project"] or _NO_PROJECT
    entity = where.entity or api.settings["entity"] or api.default_entity
    for sweep in api.project(project, entity).sweeps():
        if sweep.config.get("name") == name and sweep.state in _LIVE:
            return sweep.id, Place(project=project, entity=entity, host=where.host)
    return None


def read_sweep_parameters(path: str | None) -> dict[str, Any]:
    """Return the parameters that W&B's agent has written to a file for its trial, ``{name: value}``.

    Raises:
        OSError: The file cannot be read.
        yaml.YAMLError: It is not YAML.
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
    return own_summary(api.run(f"{where.entity}/{where.project}/{run_id}").summary_metrics)


def own_summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary without W&B's own keys."""
    return {name: value for name, value in dict(summary).items() if not name.startswith("_")}


def read_sweep_runs(api: wandb.Api, where: Place, sweep_id: str) -> list[RemoteRun]:
    """Return the runs of a sweep in the order in which they were made. Blocks.

    Raises:
        Exception: W&B did not answer.
    """
    runs = api.runs(f"{where.entity}/{where.project}", filters={"sweep": sweep_id}, order="+created_at", lazy=False)
    return [RemoteRun(run) for run in runs]


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
