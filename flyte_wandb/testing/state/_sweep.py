"""Sweeps and their agents: our reading of what W&B does, for its server is not public.

- An agent that has a run gets no other one. A sweep with nothing left to try is finished when an agent asks.
- A finished sweep lets its agents end the run that they have, a canceled one does not, and a paused one lets them wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..rules._search import expected, trials
from ._records import SweepRecord, snapshot


@dataclass(slots=True, kw_only=True)
class Sweep:
    """The state of one sweep. Not thread-safe; the store's lock guards it.

    Raises:
        ValueError: The config is not one that the double can search.
    """

    id: str
    entity: str
    project: str
    url: str
    config: dict[str, Any]
    display_name: str | None = None
    prior_runs: tuple[str, ...] = ()
    state: str = "PENDING"
    given: int = 0
    expected: int | None = field(init=False)
    _trials: Iterator[dict[str, Any]] = field(init=False)
    _tried: list[Mapping[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._trials = trials(self.config)
        self.expected = expected(self.config)

    def skip(self, config: Mapping[str, Any]) -> None:
        """Take in the config of an older run. A grid does not try its combination again."""
        if self.config["method"] == "grid":
            self._tried.append(config)

    def next_trial(self) -> dict[str, Any] | None:
        """Return the parameters of the next trial; None for the end, which finishes the sweep."""
        trial = next(self._untried(), None) if self.state in ("PENDING", "RUNNING") else None
        self.state = "FINISHED" if trial is None else "RUNNING"
        self.given += trial is not None
        return trial

    def _untried(self) -> Iterator[dict[str, Any]]:
        return (trial for trial in self._trials if not any({**one, **trial} == one for one in self._tried))

    def record(self, run_ids: tuple[str, ...], agents: int) -> SweepRecord:
        """Return a snapshot that later changes leave alone."""
        name = self.display_name or self.config.get("name") or self.id
        return snapshot(SweepRecord, self, display_name=name, config=dict(self.config), run_ids=run_ids, agents=agents)


@dataclass(slots=True, kw_only=True)
class Agent:
    """One agent, the runs that it has got, and the runs that the server will order it to end."""

    id: str
    sweep: Sweep
    host: str
    run_ids: list[str] = field(default_factory=list)
    to_stop: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Sweeps:
    """All sweeps and agents of a server by id. Not thread-safe; the store's lock guards it."""

    by_id: dict[str, Sweep] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)

    def register(self, sweep: Sweep, host: str) -> Agent:
        """Let an agent work for a sweep."""
        agent = Agent(id=f"agent{len(self.agents) + 1}", sweep=sweep, host=host)
        self.agents[agent.id] = agent
        return agent

    def find(self, sweep_id: str) -> Sweep:
        """Return a sweep.

        Raises:
            LookupError: There is none. The message lists the sweeps that there are.
        """
        if sweep_id not in self.by_id:
            raise LookupError(f"no sweep with the id {sweep_id!r}; known sweeps: {', '.join(self.by_id) or 'none'}")
        return self.by_id[sweep_id]

    def of_project(self, entity: str, project: str) -> list[Sweep]:
        """Return the sweeps of a project in order of creation."""
        return [sweep for sweep in self.by_id.values() if (sweep.entity, sweep.project) == (entity, project)]

    def agents_of(self, sweep: Sweep) -> list[Agent]:
        """Return the agents that work, or have worked, for a sweep."""
        return [agent for agent in self.agents.values() if agent.sweep is sweep]

    def agent_with(self, run_id: str) -> Agent | None:
        """Return the agent that has got a run."""
        return next((agent for agent in self.agents.values() if run_id in agent.run_ids), None)
