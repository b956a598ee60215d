"""A W&B server on the loopback interface for tests: the real client logs in to it and writes its runs there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, TypeVar

from .http._http import KEY, HttpServer
from .rules._limits import NO_LIMITS, Limits
from .state._artifacts import CollectionKey
from .state._faults import Fault
from .state._files import File
from .state._records import ArtifactRecord, RunRecord, State, SweepRecord
from .state._run import RunKey
from .state._store import About, Store

T = TypeVar("T")

_EXIT_CODES: Final[Mapping[State, int]] = {"finished": 0, "failed": 1, "preempted": 1, "killed": 255}


class WandbServer:
    """A W&B server that keeps runs in memory. It runs in threads of this process and serves any number of others.

    It answers what W&B's client asks: for runs (online, shared, resumed, rewound, forked), files, console logs, alerts,
    artifacts, sweeps and agents, and for all of that with `wandb.Api()`. Bayesian search draws at random here, and
    nothing is terminated early by rule. How far each behaviour is known to be W&B's: docs/double.md.

    A test can put runs and sweeps there by itself (`put_run`, `put_sweep`), and disturb requests (`fault`, `slow`).

    Args:
        port: Port to listen on, 0 for a free one.
        entity: Owner of the runs that name none, and the user who is logged in.
        teams: Teams of this user, which may own runs, too. So may those of `add_team`, and of what a test puts there.
        others: Entities of other people: W&B answers "permission denied". Any other entity is not found.
        version: The version that it reports, like a self-hosted server; None to report none, like W&B's own clouds.
        limits: How many requests it accepts; None for any number.

    Example::

        def test_training(monkeypatch):
            with WandbServer() as server:
                for name, value in server.environ.items():
                    monkeypatch.setenv(name, value)
                train()
            (run,) = server.runs
            assert run.state == "finished"
            assert [row["loss"] for row in run.history] == [0.5, 0.25]
    """

    def __init__(
        self,
        port: int = 0,
        entity: str = "local",
        version: str | None = None,
        *,
        teams: Sequence[str] = (),
        others: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        self._port = port
        self._about = About(entity=entity, teams=teams, others=others, version=version, limits=limits or NO_LIMITS)
        self._started: tuple[Store, HttpServer, threading.Thread] | None = None
        self._ended: Store | None = None

    def __enter__(self) -> WandbServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, without any runs. A server can be started again after its end.

        Raises:
            OSError: The port is in use.
            RuntimeError: The server runs already.
        """
        if self._started is not None:
            raise RuntimeError(f"the server runs already, at {self.url}")
        http = HttpServer(self._port, self._about)
        thread = threading.Thread(target=http.serve_until_end, daemon=True)
        thread.start()
        self._started = (http.store, http, thread)

    def stop(self) -> None:
        """End all connections and threads. The runs stay readable. If the server is not running, nothing happens."""
        if self._started is None:
            return
        store, http, thread = self._started
        self._started, self._ended = None, store
        with store.changing():
            store.closed = True  # lets go of all requests that are held, which then change nothing
        http.end()
        thread.join()
        http.disconnect()
        http.server_close()

    @property
    def url(self) -> str:
        """Address of the server, such as ``http://127.0.0.1:41973``.

        Raises:
            RuntimeError: The server was never started. All other properties and methods raise this, too.
        """
        return self._store.url

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables that log a process in to this server, and have it write to no other."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

    @property
    def _store(self) -> Store:
        store = self._started[0] if self._started else self._ended
        if store is None:
            raise RuntimeError("the server was not started: use `with WandbServer() as server:`, or call start()")
        return store

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """Snapshots of all runs in order of creation."""
        return self._store.records()

    def run(self, run_id: str, project: str | None = None, entity: str | None = None) -> RunRecord:
        """Return a snapshot of the one run with the id `run_id`.

        Args:
            run_id: The run's id.
            project: Its project, or None for any.
            entity: Its owner, or None for any.

        Raises:
            LookupError: There is none, or there are several. The message lists the existing runs.
        """

        def wanted(key: RunKey) -> bool:
            return key.id == run_id and project in (None, key.project) and entity in (None, key.entity)

        found = self._store.records(wanted)
        if len(found) != 1:
            raise LookupError(f"{len(found) or 'no'} runs with the id {run_id!r}; known runs: {_listed(self.runs)}")
        return found[0]

    @property
    def groups(self) -> dict[str, tuple[RunRecord, ...]]:
        """Snapshots of the runs that have a group, by its name."""
        runs = self.runs
        names = dict.fromkeys(run.group for run in runs if run.group is not None)
        return {name: tuple(run for run in runs if run.group == name) for name in names}

    @property
    def sweeps(self) -> tuple[SweepRecord, ...]:
        """Snapshots of all sweeps in order of creation."""
        with self._store.changing():
            return tuple(self._store.sweep_record(sweep) for sweep in self._store.sweeps.by_id.values())

    def sweep(self, sweep_id: str) -> SweepRecord:
        """Return a snapshot of the sweep with the id `sweep_id`.

        Raises:
            LookupError: There is none. The message lists the existing sweeps.
        """
        with self._store.changing():
            return self._store.sweep_record(self._store.sweeps.find(sweep_id))

    @property
    def artifacts(self) -> tuple[ArtifactRecord, ...]:
        """Snapshots of all versions of all artifacts in order of creation."""
        artifacts = self._store.artifacts
        with self._store.changing():
            return tuple(artifacts.record(artifact) for artifact in artifacts.by_id.values())

    def artifact(self, name: str, project: str = "uncategorized", entity: str | None = None) -> ArtifactRecord:
        """Return a snapshot of a version, by ``NAME:ALIAS`` or ``NAME:v0``.

        Raises:
            LookupError: There is none. The message lists the existing versions.
        """
        with self._store.changing():
            found = self._store.artifacts.find(CollectionKey(*self._store.place(entity, project), name))
            if found is not None:
                return self._store.artifacts.record(found[1])
        known = ", ".join(f"{one.project}/{one.name}:v{one.version}" for one in self.artifacts) or "none"
        raise LookupError(f"no artifact {name!r} in the project {project!r}; known artifacts: {known}")

    @property
    def requests(self) -> Counter[str]:
        """How often each request came, by every name that `fault` lists.

        Example::

            assert server.requests["download:run1/model.bin"] == 1
        """
        with self._store.changing():
            return self._store.faults.asked.copy()

    @property
    def refused(self) -> Counter[str]:
        """How often each limit, by its name in `Limits`, has refused a request with the status 429 (413 for a size)."""
        with self._store.changing():
            return self._store.meters.refused.copy()

    @property
    def unknown_operations(self) -> tuple[str, ...]:
        """Names of the GraphQL operations that the server could not answer; a good test asserts that there are none."""
        with self._store.changing():
            return tuple(self._store.unknown_operations)

    def wait_for(self, predicate: Callable[[WandbServer], T], timeout: float = 30.0) -> T:
        """Wait until `predicate` returns something true, and return that.

        Args:
            predicate: Called at once and after every change. A LookupError counts as "not yet", so it may look up runs
                and keys that do not exist yet. It should not block, because the server waits for it.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It is not true by then. The message lists the existing runs.

        Example::

            server.wait_for(lambda server: server.run("run1").history, timeout=10)
        """
        missing: list[LookupError] = []

        def ask() -> T | None:
            missing.clear()
            try:
                return predicate(self)
            except LookupError as error:
                missing.append(error)
                return None

        value = self._store.wait_for(ask, timeout)
        if value:
            return value
        unmet = f"it did not come true within {timeout} s; known runs: {_listed(self.runs)}"
        raise TimeoutError(unmet) from (missing[0] if missing else None)

    def refuse(self, message: str) -> None:
        """Let no writer open a new or existing run from now on: `wandb.init` fails at once with `message`.

        A client keeps the id of a run that it could not open; `wandb.teardown()` frees it.
        """
        with self._store.changing():
            self._store.refusal = message

    def accept(self) -> None:
        """Let writers open runs again."""
        with self._store.changing():
            self._store.refusal = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold requests that open or update a run until the block ends, so that `wandb.init` blocks meanwhile.

        Example::

            with server.paused():
                thread.start()
                server.wait_for(lambda server: server.held)
                ...  # here the thread is inside `wandb.init`
        """
        with self._store.changing():
            self._store.pauses += 1
        try:
            yield
        finally:
            with self._store.changing():
                self._store.pauses -= 1

    @property
    def held(self) -> int:
        """How many requests `paused` holds now."""
        return self._store.held

    def fault(
        self,
        where: str,
        *,
        status: int | None = None,
        times: int | None = 1,
        retry_after: float | None = None,
        body: str | None = None,
        drop: bool = False,
    ) -> None:
        """Answer requests with an error, or not at all. A request that is hit changes nothing.

        Faults at one place come one after the other. Of several that fit a request the oldest hits it.

        Args:
            where: A name of the requests that are hit:

                - an operation of GraphQL, such as ``UpsertBucket``, or ``graphql`` for any;
                - ``file_stream`` (rows, console, the end of a run), or ``file_stream:RUN_ID``;
                - ``upload`` or ``upload:RUN_ID/NAME`` for files that are written;
                - ``download`` or ``download:RUN_ID/NAME`` for files that are read, ``head`` and ``head:RUN_ID/NAME``
                  where only their size is asked;
                - ``artifact_upload`` or ``artifact_upload:NAME``, ``artifact_download`` or ``artifact_download:NAME``:
                  files of artifacts;
                - ``page`` for the pages that links lead to;
                - ``*`` for all.
            status: HTTP status of the answer, such as 429 or 503; None with `drop`.
            times: How many requests are hit; None until `heal`.
            retry_after: Seconds for the answer's header ``Retry-After``.
            body: Text of the answer, sent as HTML, such as the login page of a proxy that answers 200; None for an
                error as W&B's API gives it.
            drop: End the connection without an answer; for ``download`` after half of the content.

        Raises:
            ValueError: You pass neither `status` nor `drop`, or both.

        Example::

            server.fault("download", status=429, retry_after=1, times=3)
            server.fault("download:run1/model.bin", drop=True)
        """
        if drop is (status is not None):
            raise ValueError(
                f"the fault at {where!r} has status={status!r} and drop={drop!r}: give exactly one of them"
            )
        fault = Fault(where=where, status=status, retry_after=retry_after, body=body, drop=drop, times=times)
        with self._store.changing():
            self._store.faults.faults.append(fault)

    def slow(self, where: str, seconds: float) -> None:
        """Let requests wait before they are answered, until `heal` or the end of the server.

        Args:
            where: A name of the requests, as for `fault`. Of several that fit a request the longest wait counts.
            seconds: How long each waits.
        """
        with self._store.changing():
            self._store.faults.delays[where] = seconds

    def heal(self) -> None:
        """End all faults and all slowness, also for requests that are waiting now."""
        with self._store.changing():
            self._store.faults.heal()

    def put_run(
        self,
        run_id: str,
        *,
        project: str = "uncategorized",
        entity: str | None = None,
        sweep: str | None = None,
        state: State = "finished",
        config: Mapping[str, Any] | None = None,
        summary: Mapping[str, Any] | None = None,
        history: Iterable[Mapping[str, Any]] = (),
        files: Mapping[str, bytes] | None = None,
        tags: Sequence[str] = (),
        group: str | None = None,
        system_metrics: Iterable[Mapping[str, Any]] = (),
    ) -> RunRecord:
        """Add a run without a client.

        Args:
            run_id: The run's id.
            project: Its project.
            entity: Its owner; None for the server's entity.
            sweep: Id of its sweep, or None.
            state: Its state.
            config: Its config by name.
            summary: Its summary by name.
            history: Its rows. A row without ``_step`` has the step after that of the row before, the first one 0.
            files: Contents of its files by name, which may be any text.
            tags: Its tags.
            group: Its group, or None.
            system_metrics: Rows as W&B has them, such as ``{"_runtime": 15, "system.cpu": 3.5}``.

        Returns:
            A snapshot of the run.

        Raises:
            LookupError: There is no such sweep.
            ValueError: The run exists already.

        Example::

            server.put_run("run1", project="vision", history=[{"loss": 0.5}, {"loss": 0.25}], files={"a.txt": b"a"})
        """
        if sweep is not None:
            self.sweep(sweep)
        run = self._store.add_run(
            self._store.key(entity, project, run_id),
            status=state,
            exit_code=_EXIT_CODES.get(state),
            sweep=sweep,
            config={name: {"value": value} for name, value in (config or {}).items()},
            summary=dict(summary or {}),
            rows={row["_step"]: row for row in _numbered(history)},
            metrics=dict(enumerate(dict(row) for row in system_metrics)),
            files={name: File([content]) for name, content in (files or {}).items()},
            tags=tuple(tags),
            group=group,
        )
        return run.record()

    def put_sweep(self, config: Mapping[str, Any], *, project: str = "uncategorized", entity: str | None = None) -> str:
        """Add a sweep without a client.

        Args:
            config: The sweep's configuration.
            project: Its project.
            entity: Its owner; None for the server's entity.

        Returns:
            The sweep's id.

        Raises:
            ValueError: The double cannot search what the configuration describes.
        """
        with self._store.changing():
            return self._store.add_sweep(self._store.place(entity, project), dict(config)).id

    def end_sweep(self, sweep_id: str, state: str = "CANCELED") -> None:
        """Set the state of a sweep, like a button on its page in W&B.

        Args:
            sweep_id: The sweep's id.
            state: "CANCELED" ends the agents at once, "FINISHED" when their run has ended; "PAUSED" lets them wait
                until "RUNNING".

        Raises:
            LookupError: There is no such sweep.
        """
        with self._store.changing():
            self._store.set_sweep_state(self._store.sweeps.find(sweep_id), state)

    def stop_trial(self, run_id: str) -> None:
        """Order the agent of a run, at its next heartbeat, to end it: early termination.

        Raises:
            LookupError: No agent has the run.
        """
        with self._store.changing():
            agent = self._store.sweeps.agent_with(run_id)
            if agent is None:
                raise LookupError(f"no agent has the run {run_id!r}")
            agent.to_stop.append(run_id)

    def add_team(self, name: str) -> None:
        """Make the logged-in user a member of a team. The team may own runs from now on.

        Example::

            wandb_server.add_team("research")
            train_with(entity="research")
        """
        with self._store.changing():
            self._store.teams.add(name)

    def pass_time(self, seconds: float) -> None:
        """Turn the server's clock forward: after 5 minutes of silence a run is "crashed".

        Args:
            seconds: How far.

        Example::

            server.pass_time(301)
            assert server.run("run1").state == "crashed"
        """
        with self._store.changing():
            self._store.late += seconds

    def stop_run(self, run_id: str) -> None:
        """Tell a run's writers to stop, as the button on W&B's page of it does. They ask every 15 s.

        Raises:
            LookupError: There is no such run, or there are several.
        """
        with self._store.changing():
            run = self.run(run_id)
            self._store.runs[RunKey(run.entity, run.project, run.id)].stopped = True


def _numbered(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    step = -1
    for row in rows:
        step = row.get("_step", step + 1)
        yield {"_step": step, **row}


def _listed(runs: tuple[RunRecord, ...]) -> str:
    return ", ".join(f"{run.entity}/{run.project}/{run.id} ({run.state})" for run in runs) or "none"
