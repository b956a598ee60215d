"""The operations of sweeps: creating, reading and steering them, and agents that ask for trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..rules._limits import RefusedError
from ..state._run import RunKey
from ..state._store import Store
from ..state._sweep import Agent, Sweep
from ._calls import EPOCH, Call, answers, connection, entity
from ._reading import run_node


@answers("UpsertSweep", "UpsertSweepState")
def _upsert(call: Call) -> dict[str, Any]:
    sweep = _create(call) if call.variables.get("id") is None else _update(call)
    place = {"id": sweep.project, "name": sweep.project, "entity": entity(sweep.entity)}
    return {"upsertSweep": {"sweep": {"id": sweep.url, "name": sweep.id, "state": sweep.state, "project": place}}}


def _create(call: Call) -> Sweep:
    import yaml

    told = call.variables
    prior = json.loads(told.get("priorRunsFilters") or "{}").get("$or", [])
    about = {"display_name": told.get("displayName"), "prior_runs": tuple(run["name"] for run in prior)}
    try:
        return call.store.add_sweep(call.place(), dict(yaml.safe_load(told["config"])), **about)
    except ValueError as error:
        raise RefusedError(f"Invalid sweep config: {error}", status=400) from error


def _update(call: Call) -> Sweep:
    for sweep in call.store.sweeps.by_id.values():
        if sweep.url == call.variables["id"]:
            call.store.set_sweep_state(sweep, call.variables["state"])
            return sweep
    raise RefusedError(f"there is no sweep {call.variables['id']}", status=404)


@answers("GetSweep", "GetSweepLegacy", "GetSweepState", "SweepWithRuns")
def _sweep(call: Call) -> dict[str, Any]:
    sweep = _named(call)
    if sweep is None:
        return call.in_project(sweep=None)
    runs = call.store.runs_of(sweep) if call.name == "SweepWithRuns" else []
    return call.in_project(sweep={**_node(call.store, sweep), "runs": connection(runs, run_node)})


@answers("GetSweeps")
def _sweeps(call: Call) -> dict[str, Any]:
    found = call.store.sweeps.of_project(*call.place())
    return call.in_project(totalSweeps=len(found), sweeps=call.page(found, lambda sweep: _node(call.store, sweep)))


def _node(store: Store, sweep: Sweep) -> dict[str, Any]:
    import yaml

    return {
        "__typename": "Sweep",
        "id": sweep.url,
        "name": sweep.id,
        "displayName": sweep.display_name,
        "method": sweep.config["method"],
        "state": sweep.state,
        "description": sweep.config.get("description"),
        "bestLoss": None,
        "config": yaml.safe_dump(sweep.config, sort_keys=False),
        "createdAt": EPOCH,
        "updatedAt": EPOCH,
        "runCount": len(store.runs_of(sweep)),
        "runCountExpected": sweep.expected,
    }


@answers("GetAgentRuns", "GetSweepAgent", "GetSweepAgents")
def _agents(call: Call) -> dict[str, Any]:
    """Tell of a sweep's agents, of one of them, and of its runs."""
    sweep = _named(call)
    agents = [] if sweep is None else call.store.sweeps.agents_of(sweep)
    one = next((agent for agent in agents if agent.id == call.variables.get("agentID")), None)
    page = connection(agents, lambda agent: _agent(call.store, agent))
    return call.in_project(sweep={"agents": page, "agent": one and _agent(call.store, one)})


def _agent(store: Store, agent: Agent) -> dict[str, Any]:
    state = "RUNNING" if agent.sweep.state in ("PENDING", "RUNNING") else "FINISHED"
    runs = [run for run in store.runs_of(agent.sweep) if run.key.id in agent.run_ids]
    names = {"id": agent.id, "name": agent.id, "host": agent.host, "state": state, "totalRuns": len(agent.run_ids)}
    return {**names, "createdAt": EPOCH, "heartbeatAt": EPOCH, "runs": connection(runs, run_node)}


def _named(call: Call) -> Sweep | None:
    """Find the sweep that a call names, in the project that it names."""
    wanted = call.variables.get("sweep") or call.variables.get("name")
    return next((sweep for sweep in call.store.sweeps.of_project(*call.place()) if sweep.id == wanted), None)


@answers("CreateAgent")
def _create_agent(call: Call) -> dict[str, Any]:
    sweep = _named(call)
    if sweep is None:
        raise RefusedError(f"could not find the sweep {call.variables.get('sweep')!r}", status=404)
    agent = call.store.sweeps.register(sweep, call.variables.get("host") or "")
    return {"createAgent": {"agent": {"id": agent.id}}}


@answers("Heartbeat")
def _heartbeat(call: Call) -> dict[str, Any]:
    busy = any(json.loads(call.variables.get("runState") or "{}").values())
    agent = call.store.sweeps.agents.get(call.variables["id"])
    if agent is None:
        raise RefusedError(f"could not find the agent {call.variables['id']!r}", status=404)
    commands = _commands(call.store, agent, busy)
    return {"agentHeartbeat": {"agent": {"id": agent.id}, "commands": json.dumps(commands)}}


def _commands(store: Store, agent: Agent, busy: bool) -> list[dict[str, Any]]:
    if agent.sweep.state == "CANCELED":
        return [{"type": "exit"}]
    if agent.to_stop:
        return [{"type": "stop", "run_id": agent.to_stop.pop(0)}]
    if busy or agent.sweep.state == "PAUSED":
        return []
    for run in store.runs_of(agent.sweep):
        if run.state == "preempted":
            run.status = "pending"
            agent.run_ids.append(run.key.id)
            return [{"type": "resume", "run_id": run.key.id, "args": run.trial}]
    trial = agent.sweep.next_trial()
    return [{"type": "exit"} if trial is None else _start(store, agent, trial)]


def _start(store: Store, agent: Agent, trial: Mapping[str, Any]) -> dict[str, Any]:
    """Give a trial to an agent; its run waits for a writer."""
    sweep = agent.sweep
    config = {name: {"value": value} for name, value in trial.items()}
    run_id = f"{sweep.id}-trial{sweep.given}"
    store.add_run(RunKey(sweep.entity, sweep.project, run_id), sweep=sweep.id, config=config, trial=config)
    agent.run_ids.append(run_id)
    return {"type": "run", "run_id": run_id, "args": config, "program": sweep.config.get("program")}
