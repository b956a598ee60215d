"""The state of the double: its runs, sweeps and artifacts, and what a test asked it to do with requests."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from ..rules._limits import Limits, Meters, RefusedError
from ._artifacts import Artifacts
from ._faults import Fault, Faults
from ._records import RunRecord, SweepRecord
from ._run import Run, RunKey
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


class Store:
    """All that one server knows. Whoever reads or changes it does so in a block of `changing`.

    Attributes:
        url: Address of the server, without a trailing slash.
        teams: The teams of the user who is logged in.
        unknown_operations: Names of the GraphQL operations that could not be answered.
        refusal: The message for clients that open a run; None if they may open it.
        pauses: While this is above 0, those wait who open or update a run.
        held: How many of them wait now.
        late: Seconds that its clock was turned forward.
        closed: Whether the server has ended.
    """

    def __init__(self, url: str, about: About) -> None:
        self.url = url
        self.about = about
        self.teams = {*about.teams}
        self.runs: dict[RunKey, Run] = {}
        self._by_url: dict[str, Run] = {}
        self.projects: set[tuple[str, str]] = set()
        self.sweeps = Sweeps()
        self.artifacts = Artifacts()
        self.faults = Faults()
        self.meters = Meters(about.limits)
        self.unknown_operations: list[str] = []
        self.refusal: str | None = None
        self.pauses = self.held = 0
        self.late = 0.0
        self.closed = False
        # A block may stand inside of another one, for a condition's lock can be taken again by who has it.
        self._changed = threading.Condition()
        self._tickets: set[str] = set()
        self._numbers = itertools.count(1)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nobody else read or change it in this block; who waits looks again afterwards."""
        with self._changed:
            try:
                yield
            finally:  # a refusal is counted, too
                self._changed.notify_all()

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Return what `predicate` says as soon as it is true, or after `timeout` seconds. Lets others change it."""
        with self._changed:
            return self._changed.wait_for(predicate, timeout)

    def now(self) -> float:
        """Return the time in seconds, with what a test has let pass."""
        return time.time() + self.late

    def place(self, entity: str | None, project: str | None) -> tuple[str, str]:
        """Return entity and project as the server decides where clients leave them out."""
        return entity or self.about.entity, project or "uncategorized"

    def key(self, entity: str | None, project: str | None, run_id: str | None) -> RunKey:
        """Name a run as clients do, who leave out what the server decides."""
        return RunKey(*self.place(entity, project), run_id or f"run{next(self._numbers)}")

    def find_by_url(self, url: str | None) -> Run | None:
        """Return the run with a page at an address, which is also its id on the server, or None."""
        return self._by_url.get(url or "")

    def records(self, wanted: Callable[[RunKey], bool] = lambda key: True) -> tuple[RunRecord, ...]:
        """Return snapshots of the wanted runs in order of creation."""
        with self._changed:
            return tuple(run.record() for run in self.runs.values() if wanted(run.key))

    def sweep_record(self, sweep: Sweep) -> SweepRecord:
        """Return a snapshot of a sweep."""
        run_ids = tuple(run.key.id for run in self.runs_of(sweep))
        return sweep.record(run_ids=run_ids, agents=len(self.sweeps.agents_of(sweep)))

    def runs_of(self, sweep: Sweep) -> list[Run]:
        """Return the runs of a sweep in order of creation."""
        return [run for run in self.runs.values() if run.sweep == sweep.id]

    def add_run(self, key: RunKey, **about: Any) -> Run:
        """Add a run with fields of `Run`.

        Raises:
            ValueError: There is one with that key already.
        """
        with self.changing():
            if key in self.runs:
                raise ValueError(f"there is a run {'/'.join(key)} already: choose another id")
            now = self.now()
            run = Run(key=key, url=self._page("runs", *key), clock=self.now, created=now, heartbeat=now, **about)
            self.runs[key] = self._by_url[run.url] = run
            self.projects.add(key[:2])
            self.teams.add(key.entity)
            return run

    def delete_run(self, run: Run) -> None:
        """Forget a run."""
        del self.runs[run.key], self._by_url[run.url]

    def set_sweep_state(self, sweep: Sweep, state: str) -> None:
        """Set the state of a sweep; who cancels it kills its runs."""
        sweep.state = state
        for run in self.runs_of(sweep) if state == "CANCELED" else ():
            run.kill()

    def add_sweep(self, place: tuple[str, str], config: dict[str, Any], **about: Any) -> Sweep:
        """Add a sweep with fields of `Sweep`.

        Raises:
            ValueError: The double cannot search what the config describes.
        """
        entity, project = place
        sweep_id = f"sweep{len(self.sweeps.by_id) + 1}"
        url = self._page("sweeps", entity, project, sweep_id)
        sweep = Sweep(id=sweep_id, entity=entity, project=project, url=url, config=config, **about)
        self.sweeps.by_id[sweep_id] = sweep
        for name in sweep.prior_runs:
            if (prior := self.runs.get(RunKey(entity, project, name))) is not None:
                prior.sweep = sweep_id
                sweep.skip({name: entry["value"] for name, entry in prior.config.items()})
        self.projects.add(place)
        self.teams.add(entity)
        return sweep

    def add_ticket(self) -> str:
        """Make an id for a run that only the one writer has who asked for it: it shows later who resumes."""
        ticket = f"resume-{next(self._numbers)}"
        self._tickets.add(ticket)
        return ticket

    def is_ticket(self, ticket: str | None) -> bool:
        """Tell whether an id is such a ticket, and not used up yet."""
        return ticket in self._tickets

    def use_up_ticket(self, ticket: str | None) -> None:
        """Let a ticket be none any more. Who was refused meanwhile has it still, for the client asks again with it."""
        self._tickets.discard(ticket or "")

    def meet(self, names: Collection[str]) -> Fault | None:
        """Count a request by all of its names, hold it while it is to be slow, and return the fault that hits it."""
        with self.changing():
            self.faults.asked.update(names)
        with self._changed:
            seconds = self.faults.delay(names)
            self._changed.wait_for(lambda: self.closed or not self.faults.delay(names), seconds)
            return self.faults.take(names)

    def wait_out_pause(self) -> None:
        """Return when runs may be opened and updated.

        Raises:
            RefusedError: The server has stopped.
        """
        with self.changing():
            self.held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.closed or not self.pauses)
            self.held -= 1
        if self.closed:
            raise RefusedError("the server has stopped")

    def check_accepting(self) -> None:
        """Raise where runs are refused at the moment."""
        if self.refusal is not None:
            raise RefusedError(self.refusal)

    def check_opening(self, key: RunKey) -> None:
        """Check that a writer may open a run, in the words of W&B.

        Raises:
            RefusedError: Runs are refused at the moment, the user may not write to the entity, or a limit is reached.
        """
        self.check_accepting()
        if key.entity in self.about.others:
            raise RefusedError("permission denied", 403)
        if key.entity != self.about.entity and key.entity not in self.teams:
            raise RefusedError(f"entity {key.entity} not found during upsertBucket", 404)
        self.meters.spend("run_creations", key[:2], self.now())
        if key in self.runs:
            self.meters.hold("writers", self.runs[key].writing + 1)

    def _page(self, kind: str, *key: str) -> str:
        entity, project, name = (quote(part, safe="") for part in key)
        return f"{self.url}/{entity}/{project}/{kind}/{name}"
