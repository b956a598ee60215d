"""The state of the double: its runs and sweeps, and what a test asked it to do with requests. Thread-safe."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from ._artifacts import Artifacts
from ._faults import Fault, Faults
from ._limits import Limits, Meters, RefusedError
from ._records import ArtifactRecord, RunRecord, SweepRecord
from ._run import Run, RunKey, Sender
from ._sweep import Sweep, Sweeps

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a server is set up with; `WandbServer` says what each is."""

    entity: str
    teams: Sequence[str]
    others: Sequence[str]
    version: str | None
    limits: Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """What a writer says about a run.

    Attributes:
        key: The run.
        sender: The writer.
        ticket: Id that the writer was given for the run, or None.
        opens: Whether the writer opens the run rather than telling something new about it.
        about: Arguments of `Run.describe`.
        config: All entries of the config, each as ``{"value": ...}``; None for no change.
        summary: The whole summary, or None.
    """

    key: RunKey
    sender: Sender
    ticket: str | None
    opens: bool
    about: dict[str, Any]
    config: dict[str, Any] | None
    summary: dict[str, Any] | None


class Store:
    """All runs and sweeps of one server.

    Attributes:
        url: Address of the server, without a trailing slash.
        entity: Owner of the runs that name none, who is logged in.
        teams: The teams of this user.
        others: Entities to which this user has no access.
        version: What the server says of its version; None as W&B's own clouds do.
    """

    def __init__(self, url: str, about: About) -> None:
        self.url = url
        self.entity = about.entity
        self.teams = {*about.teams}
        self.others = {*about.others}
        self.version = about.version
        self._late = 0.0
        self._meters = Meters(about.limits)
        self._changed = threading.Condition()
        self._runs: dict[RunKey, Run] = {}
        self._keys: dict[str, RunKey] = {}
        self._projects: set[tuple[str, str]] = set()
        self._sweeps = Sweeps()
        self._artifacts = Artifacts()
        self._faults = Faults()
        self._tickets: set[str] = set()
        self._numbers = itertools.count(1)
        self._refusal: str | None = None
        self._pauses = 0
        self._held = 0
        self._closed = False
        self._unknown: list[str] = []

    @property
    def held(self) -> int:
        """How many requests wait for the end of a pause."""
        return self._held

    @property
    def unknown_operations(self) -> tuple[str, ...]:
        """Names of the GraphQL operations that could not be answered."""
        with self._changed:
            return tuple(self._unknown)

    @property
    def requests(self) -> Counter[str]:
        """How often each name was asked."""
        with self._changed:
            return self._faults.asked.copy()

    @property
    def refused(self) -> Counter[str]:
        """How often each limit has refused a request."""
        with self._changed:
            return self._meters.refused.copy()

    def spend_stream(self, key: RunKey, size: int) -> None:
        """Count a request of the file stream.

        Raises:
            RefusedError: It is more than the limits allow.
        """
        with self._changing():
            now, project = self.now(), key[:2]
            self._meters.hold("body_bytes", size)
            self._meters.spend("file_streams", project, now)
            self._meters.spend("stream_bytes", project, now, size)
            self._meters.spend("file_streams_of_run", key, now)

    def records(self, wanted: Callable[[RunKey], bool] = lambda key: True) -> tuple[RunRecord, ...]:
        """Return snapshots of the wanted runs in order of creation."""
        with self._changed:
            return tuple(run.record() for run in self._runs.values() if wanted(run.key))

    def sweep_records(self) -> tuple[SweepRecord, ...]:
        """Return snapshots of all sweeps in order of creation."""
        with self._changed:
            return tuple(self._sweep_record(sweep) for sweep in self._sweeps.by_id.values())

    def artifact_records(self) -> tuple[ArtifactRecord, ...]:
        """Return snapshots of all versions of artifacts in order of creation."""
        with self._changed:
            return tuple(self._artifacts.record(one) for one in self._artifacts.by_id.values())

    def sweep_record(self, sweep_id: str) -> SweepRecord:
        """Return a snapshot of one sweep.

        Raises:
            LookupError: There is none.
        """
        with self._changed:
            return self._sweep_record(self._sweeps.find(sweep_id))

    def meet(self, names: Collection[str]) -> Fault | None:
        """Count a request, hold it while it is to be slow, and return the fault that hits it.

        Args:
            names: All names of the request.
        """
        with self._changing():
            self._faults.asked.update(names)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._faults.delay(names), self._faults.delay(names))
            return self._faults.take(names)

    @contextmanager
    def disturbing(self) -> Iterator[Faults]:
        """Give the faults to change them."""
        with self._changing():
            yield self._faults

    def wait_for(self, predicate: Callable[[], T], timeout: float) -> T:
        """Return what `predicate` says as soon as it is true, or after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def refuse(self, message: str | None) -> None:
        """Open no run from now on, or with None open them again."""
        with self._changing():
            self._refusal = message

    def pause(self) -> None:
        """Hold upserts from now on."""
        with self._changing():
            self._pauses += 1

    def proceed(self) -> None:
        """Take back one `pause`."""
        with self._changing():
            self._pauses -= 1

    def close(self) -> None:
        """Let go of all held requests, which then change nothing."""
        with self._changing():
            self._closed = True

    def note_unknown(self, operation: str) -> None:
        """Remember an operation that could not be answered."""
        with self._changing():
            self._unknown.append(operation)

    def now(self) -> float:
        """Return the time in seconds, with what a test has let pass."""
        return time.time() + self._late

    def pass_time(self, seconds: float) -> None:
        """Turn the clock forward."""
        with self._changing():
            self._late += seconds

    def has_project(self, place: tuple[str, str]) -> bool:
        """Tell whether anybody has written to a project, or created it."""
        return place in self._projects

    def projects(self) -> list[tuple[str, str]]:
        """Return all projects in order."""
        return sorted(self._projects)

    def add_project(self, place: tuple[str, str]) -> None:
        """Create a project."""
        with self._changing():
            self._projects.add(place)

    def key_of(self, server_id: str | None) -> RunKey | None:
        """Return which run has an id of the server, or None."""
        return self._keys.get(server_id or "")

    def place(self, entity: str | None, project: str | None) -> tuple[str, str]:
        """Return entity and project as the server decides where clients leave them out."""
        return entity or self.entity, project or "uncategorized"

    def key(self, entity: str | None, project: str | None, run_id: str | None) -> RunKey:
        """Name a run as clients do, who leave out what the server decides."""
        return RunKey(*self.place(entity, project), run_id or f"run{next(self._numbers)}")

    @contextmanager
    def reading(self, key: RunKey) -> Iterator[Run | None]:
        """Give the run, or None, while nothing else changes."""
        with self._changed:
            yield self._runs.get(key)

    @contextmanager
    def reading_all(self) -> Iterator[tuple[Run, ...]]:
        """Give all runs in order of creation while nothing changes."""
        with self._changed:
            yield tuple(self._runs.values())

    @contextmanager
    def changing(self, key: RunKey) -> Iterator[Run | None]:
        """Give the run to change it, or None; who waits looks again afterwards."""
        with self._changing():
            yield self._runs.get(key)

    @contextmanager
    def searching(self) -> Iterator[Sweeps]:
        """Give the sweeps to change them or to read them."""
        with self._changing():
            yield self._sweeps

    @contextmanager
    def artifacts(self) -> Iterator[Artifacts]:
        """Give the artifacts to change them or to read them."""
        with self._changing():
            yield self._artifacts

    @contextmanager
    def rewinding(self, key: RunKey, sender: Sender, step: int) -> Iterator[Run]:
        """Take a run back to the end of a step, open it again and give it. Blocks during a pause.

        Raises:
            RefusedError: There is no such run, runs are refused at the moment, or the server has stopped.
        """
        self._wait_out_pause()
        with self._changing():
            self._check_accepting()
            run = self._runs.get(key)
            if run is None:
                raise RefusedError(f"there is no run {'/'.join(key)} to rewind")
            run.rewind(step)
            run.heartbeat = self.now()
            run.open(sender, resumed=True)
            yield run

    def add_run(self, key: RunKey, **about: Any) -> Run:
        """Add a run with fields of `Run`.

        Raises:
            ValueError: There is one with that key already.
        """
        with self._changing():
            if key in self._runs:
                raise ValueError(f"there is a run {'/'.join(key)} already: choose another id")
            now, url = self.now(), self._page("runs", *key)
            self._runs[key] = Run(key=key, url=url, clock=self.now, created=now, heartbeat=now, **about)
            self._keys[url] = key
            self._projects.add(key[:2])
            self.teams.add(key.entity)
            return self._runs[key]

    def delete_run(self, key: RunKey) -> None:
        """Forget a run, where there is one."""
        with self._changing():
            run = self._runs.pop(key, None)
            self._keys.pop(run.url if run else "", None)

    def stop_run(self, key: RunKey) -> None:
        """Tell a run's writers to stop when they ask."""
        with self._changing():
            self._runs[key].stopped = True

    def set_sweep_state(self, sweep: Sweep, state: str) -> None:
        """Set the state of a sweep; who cancels it kills its runs."""
        with self._changing():
            sweep.state = state
            for run in self._runs.values() if state == "CANCELED" else ():
                if run.sweep == sweep.id:
                    run.kill()

    def preempted(self, sweep: Sweep) -> Run | None:
        """Take up a run of a sweep whose machine was taken away, or return None."""
        with self._changing():
            found = next(
                (run for run in self._runs.values() if run.sweep == sweep.id and run.state == "preempted"), None
            )
            if found is not None:
                found.status = "pending"
            return found

    def add_sweep(self, place: tuple[str, str], config: dict[str, Any], **about: Any) -> Sweep:
        """Add a sweep with fields of `Sweep`.

        Raises:
            ValueError: The double cannot search what the config describes.
        """
        entity, project = place
        with self._changing():
            sweep_id = f"sweep{len(self._sweeps.by_id) + 1}"
            url = self._page("sweeps", entity, project, sweep_id)
            sweep = Sweep(id=sweep_id, entity=entity, project=project, url=url, config=config, **about)
            self._sweeps.by_id[sweep_id] = sweep
            for name in sweep.prior_runs:
                if (prior := self._runs.get(RunKey(entity, project, name))) is not None:
                    prior.sweep = sweep_id
                    sweep.skip({name: entry["value"] for name, entry in prior.config.items()})
            self._projects.add(place)
            self.teams.add(entity)
            return sweep

    def run_ids(self, sweep: Sweep) -> tuple[str, ...]:
        """Return the ids of a sweep's runs in order of creation."""
        with self._changed:
            return tuple(run.key.id for run in self._runs.values() if run.sweep == sweep.id)

    def ticket(self) -> str:
        """Make an id for a run that only the one writer has who asked for it: it shows later who resumes."""
        with self._changed:
            ticket = f"resume-{next(self._numbers)}"
            self._tickets.add(ticket)
            return ticket

    @contextmanager
    def upserting(self, upsert: Upsert) -> Iterator[tuple[Run, bool]]:
        """Apply an upsert and give the run, and whether it is new. Blocks during a pause.

        Raises:
            RefusedError: Runs are refused at the moment, or the server has stopped.
        """
        self._wait_out_pause()
        with self._changing():
            inserted = upsert.key not in self._runs
            yield self._apply(upsert), inserted

    def _apply(self, upsert: Upsert) -> Run:
        resumes = upsert.ticket in self._tickets
        opens = upsert.opens or resumes or upsert.key not in self._runs
        if opens:
            self._check_accepting()
            self._check_entity(upsert.key.entity)
            self._meters.spend("run_creations", upsert.key[:2], self.now())
            if upsert.key in self._runs:
                self._meters.hold("writers", self._runs[upsert.key].writing + 1)
        self._tickets -= {upsert.ticket or ""}
        run = self._runs.get(upsert.key) or self.add_run(upsert.key)
        if opens and not run.started:
            self._fork(run, upsert.config or {})
        run.heartbeat = self.now() if opens else run.heartbeat
        if upsert.config is not None:
            run.set_config(upsert.sender, upsert.config)
        if opens:
            run.open(upsert.sender, resumed=resumes)
        if upsert.summary is not None:
            run.set_summary(upsert.sender, upsert.summary)
        run.describe(**upsert.about)
        return run

    def _fork(self, run: Run, config: dict[str, Any]) -> None:
        """Give a new run the rows of the one that it says it branches off.

        Raises:
            RefusedError: There is no such run.
        """
        branch = (config.get("_wandb") or {}).get("value", {}).get("branch_point")
        if branch is None or branch["run_id"] == run.key.id:
            return
        parent = self._runs.get(run.key._replace(id=branch["run_id"]))
        if parent is None:
            raise RefusedError(f"there is no run {branch['run_id']} to fork", 404)
        run.continue_from(parent, int(branch["step"]))

    def _check_entity(self, entity: str) -> None:
        """Raise where the user may not write to an entity, in the words of W&B."""
        if entity in self.others:
            raise RefusedError("permission denied", 403)
        if entity != self.entity and entity not in self.teams:
            raise RefusedError(f"entity {entity} not found during upsertBucket", 404)

    def _check_accepting(self) -> None:
        if self._refusal is not None:
            raise RefusedError(self._refusal)

    def _wait_out_pause(self) -> None:
        with self._changing():
            self._held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not self._pauses)
            self._held -= 1
        if self._closed:
            raise RefusedError("the server has stopped")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._changed:
            yield
            self._changed.notify_all()

    def _sweep_record(self, sweep: Sweep) -> SweepRecord:
        return sweep.record(run_ids=self.run_ids(sweep), agents=len(self._sweeps.agents_of(sweep)))

    def _page(self, kind: str, *key: str) -> str:
        entity, project, name = (quote(part, safe="") for part in key)
        return f"{self.url}/{entity}/{project}/{kind}/{name}"
