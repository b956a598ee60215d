"""A W&B server on the loopback interface for tests: the real client logs in to it and writes its runs there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from ._http import KEY, HttpServer
from ._records import RunRecord
from ._store import Store

T = TypeVar("T")


class WandbServer:
    """A W&B server that keeps runs in memory. It runs in threads of this process and serves any number of others.

    Supported is what writers need (login with the key of `environ`, online, shared and resumed runs, files of runs),
    reading runs, their history and their files with `wandb.Api()`, and the pages that links lead to. Not supported are
    artifacts, sweeps, rate limits, and "crashed", the state of a run whose writers are silent. How runs change is said
    in `_run.py`.

    Args:
        port: Port to listen on, 0 for a free one.
        entity: Owner of the runs that name none, and the user who is logged in.
        version: The version that it says it has, as a self-hosted server does; None as W&B's own clouds do.

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

    def __init__(self, port: int = 0, entity: str = "local", version: str | None = None) -> None:
        self._port = port
        self._entity = entity
        self._version = version
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
        http = HttpServer(self._port, self._entity, self._version)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self._started = (http.store, http, thread)

    def stop(self) -> None:
        """End all connections and threads. The runs stay readable; where the server does not run, nothing happens."""
        if self._started is None:
            return
        store, http, thread = self._started
        self._started, self._ended = None, store
        store.close()
        http.shutdown()
        thread.join()
        http.disconnect()
        http.server_close()

    @property
    def url(self) -> str:
        """Address of the server, such as ``http://127.0.0.1:41973``.

        Raises:
            RuntimeError: The server was never started, which holds for all other properties and methods, too.
        """
        return self._store.url

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables with which a process writes to this server, logged in, and to no other."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

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
            LookupError: There is none, or there are several. The message lists the runs that there are.
        """
        runs = self.runs
        found = [run for run in runs if run.id == run_id and project in (None, run.project)]
        found = [run for run in found if entity in (None, run.entity)]
        if len(found) != 1:
            raise LookupError(f"{len(found) or 'no'} runs with the id {run_id!r}; known runs: {_listed(runs)}")
        return found[0]

    @property
    def groups(self) -> dict[str, tuple[RunRecord, ...]]:
        """Snapshots of the runs that have a group, by its name."""
        runs = self.runs
        names = dict.fromkeys(run.group for run in runs if run.group is not None)
        return {name: tuple(run for run in runs if run.group == name) for name in names}

    @property
    def unknown_operations(self) -> tuple[str, ...]:
        """Names of the GraphQL operations that the server could not answer; a good test asserts that there are none."""
        return self._store.unknown_operations

    def wait_for(self, predicate: Callable[[WandbServer], T], timeout: float = 30.0) -> T:
        """Wait until something holds for this server, and return what `predicate` says then.

        Args:
            predicate: Is asked at once and after every change. A LookupError counts as "not yet", so it may ask for
                runs and keys that are still to come. It should not block, for the server waits for it.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It does not hold by then. The message lists the runs that there are.

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
        """Let no writer open a run from now on, be it new or not: `wandb.init` fails at once with `message`.

        A client keeps the id of a run that it could not open; `wandb.teardown()` frees it.
        """
        self._store.refuse(message)

    def accept(self) -> None:
        """Let writers open runs again."""
        self._store.refuse(None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold requests that open or update a run until the block ends, so that `wandb.init` blocks meanwhile.

        Example::

            with server.paused():
                thread.start()
                server.wait_for(lambda server: server.held)
                ...  # here the thread is inside `wandb.init`
        """
        self._store.pause()
        try:
            yield
        finally:
            self._store.proceed()

    @property
    def held(self) -> int:
        """How many requests `paused` holds now."""
        return self._store.held

    @property
    def _store(self) -> Store:
        store = self._started[0] if self._started else self._ended
        if store is None:
            raise RuntimeError("the server was not started: use `with WandbServer() as server:`, or call start()")
        return store


def _listed(runs: tuple[RunRecord, ...]) -> str:
    return ", ".join(f"{run.entity}/{run.project}/{run.id} ({run.state})" for run in runs) or "none"
