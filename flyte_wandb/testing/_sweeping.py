"""The operations of sweeps: creating, reading and steering them, and agents that ask for trials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ._calls import EPOCH, Answer, Call, connection, entity
from ._limits import RefusedError
from ._reading import node
from ._run import RunKey
from ._store import Store
from ._sweep import Agent, Sweep, Sweeps


def _upsert(call: Call) -> dict[str, Any]:
    sweep = _create(call) if call.variables.get("id") is None else _update(call)
    place = {"id": sweep.project, "name": sweep.project, "entity": entity(sweep.entity)}
    return {"upsertSweep": {"sweep": {"id": sweep.url, "name": sweep.id, "state": sweep.state, "project": place}}}


def _create(call: Call) -> Sweep:
    told = call.variables
    prior = json.loads(told.get("priorRunsFilters") or "{}").get("$or", [])
    try:
        return call.store.add_sweep(
            call.place(),
            _read_config(told["config"]),
            display_name=told.get("displayName"),
            prior_runs=tuple(run["name"] for run in prior),
        )
    except ValueError as error:
        raise RefusedError(f"Invalid sweep config: {error}", status=400) from error


def _read_config(text: str) -> dict[str, Any]:
    import yaml

    return dict(yaml.safe_load(text))


def _update(call: Call) -> Sweep:
    with call.store.searching() as sweeps:
        found = [sweep for sweep in sweeps.by_id.values() if sweep.url == call.variables["id"]]
        if not found:
            raise RefusedError(f"there is no sweep {call.variables['id']}", status=404)
        call.store.set_sweep_state(found[0], call.variables["state"])
        return found[0]


def _sweep(call: Call) -> dict[str, Any]:
    with call.store.searching() as sweeps:
        sweep = _named(call, sweeps)
        return call.in_project(sweep=None if sweep is None else _node(call.store, sweep))


def _sweep_with_runs(call: Call) -> dict[str, Any]:
    with call.store.searching() as sweeps, call.store.reading_all() as runs:
        sweep = _named(call, sweeps)
        own = [run for run in runs if sweep is not None and run.sweep == sweep.id]
        return call.in_project(
            sweep=None if sweep is None else {**_node(call.store, sweep), "runs": connection(own, node)}
        )


def _sweeps(call: Call) -> dict[str, Any]:
    with call.store.searching() as sweeps:
        found = sweeps.of_project(*call.place())
        page = call.page(found, lambda sweep: _node(call.store, sweep))
    return call.in_project(totalSweeps=len(found), sweeps=page)


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
        "runCount": len(store.run_ids(sweep)),
        "runCountExpected": sweep.expected,
    }


def _agents(call: Call) -> dict[str, Any]:
    """Tell of a sweep's agents, of one of them, and of its runs."""
    with call.store.searching() as sweeps, call.store.reading_all() as runs:
        sweep = _named(call, sweeps)
        agents = [] if sweep is None else sweeps.agents_of(sweep)
        own = {agent.id: [run for run in runs if run.key.id in agent.run_ids] for agent in agents}
        nodes = {agent.id: {**_agent(agent), "runs": connection(own[agent.id], node)} for agent in agents}
        one = nodes.get(call.variables.get("agentID") or "")
        return call.in_project(sweep={"agents": connection(list(nodes.values()), dict), "agent": one})


def _agent(agent: Agent) -> dict[str, Any]:
    state = "RUNNING" if agent.sweep.state in ("PENDING", "RUNNING") else "FINISHED"
    names = {"id": agent.id, "name": agent.id, "host": agent.host}
    return {**names, "state": state, "totalRuns": len(agent.run_ids), "createdAt": EPOCH, "heartbeatAt": EPOCH}


def _named(call: Call, sweeps: Sweeps) -> Sweep | None:
    """Find the sweep that a call names, in the project that it names."""
    wanted = call.variables.get("sweep") or call.variables.get("name")
    return next((sweep for sweep in sweeps.of_project(*call.place()) if sweep.id == wanted), None)


def _create_agent(call: Call) -> dict[str, Any]:
    with call.store.searching() as sweeps:
        sweep = _named(call, sweeps)
        if sweep is None:
            raise RefusedError(f"could not find the sweep {call.variables.get('sweep')!r}", status=404)
        return {"createAgent": {"agent": {"id": sweeps.register(sweep, call.variables.get("host") or "").id}}}


def _heartbeat(call: Call) -> dict[str, Any]:
    busy = any(json.loads(call.variables.get("runState") or "{}").values())
    with call.store.searching() as sweeps:
        agent = sweeps.agents.get(call.variables["id"])
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
    if (again := store.preempted(agent.sweep)) is not None:
        agent.run_ids.append(again.key.id)
        return [{"type": "resume", "run_id": again.key.id, "args": again.trial}]
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


ANSWERS: Final[Mapping[str, Answer]] = {
    "CreateAgent": _create_agent,
    "GetAgentRuns": _agents,
    "GetSweep": _sweep,
    "GetSweepAgent": _agents,
    "GetSweepAgents": _agents,
    "GetSweepLegacy": _sweep,
    "GetSweepState": _sweep,
    "GetSweeps": _sweeps,
    "Heartbeat": _heartbeat,
    "SweepWithRuns": _sweep_with_runs,
    "UpsertSweep": _upsert,
    "UpsertSweepState": _upsert,
}
"""The operations by name."""
