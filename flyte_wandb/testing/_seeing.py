"""What a test sees of the double: its runs, sweeps and requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from ._hosted import Hosted
from ._records import RunRecord, SweepRecord
from ._run import RunKey

T = TypeVar("T")
SeeingT = TypeVar("SeeingT", bound="Seeing")


class Seeing(Hosted):
    """The part of `WandbServer` that looks and changes nothing."""

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
        return self._store.sweep_records()

    def sweep(self, sweep_id: str) -> SweepRecord:
        """Return a snapshot of the sweep with the id `sweep_id`.

        Raises:
            LookupError: There is none. The message lists the sweeps that there are.
        """
        return self._store.sweep_record(sweep_id)

    @property
    def requests(self) -> Counter[str]:
        """How often each request came, by every name that `fault` lists.

        Example::

            assert server.requests["download:run1/model.bin"] == 1
        """
        return self._store.requests

    @property
    def unknown_operations(self) -> tuple[str, ...]:
        """Names of the GraphQL operations that the server could not answer; a good test asserts that there are none."""
        return self._store.unknown_operations

    def wait_for(self: SeeingT, predicate: Callable[[SeeingT], T], timeout: float = 30.0) -> T:
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


def _listed(runs: tuple[RunRecord, ...]) -> str:
    return ", ".join(f"{run.entity}/{run.project}/{run.id} ({run.state})" for run in runs) or "none"
