"""The runs that are open in this process: who opened which, who borrows it, and when it is finished."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._errors import RunInUseError
from .._light import Latch
from .._logging import log_once
from ..wandb_client._agent_room import allow_agents
from ..wandb_client._globals import global_names, point_globals, set_global_names
from ..wandb_client._opening import Opening
from ..wandb_client._run import close_run, is_stand_in, lend_run, open_run

if TYPE_CHECKING:
    import wandb


_MOST_FAILED: Final = 100
"""How many failed runs are remembered. A child that opens its parent's run again does so soon after that has ended."""


@dataclass(kw_only=True, eq=False, repr=False)
class _OpenRun:
    """One open run. It is finished when its last holder lets go, with the outcome that its opener told."""

    opened_by: str
    in_flyte: bool
    local: bool = False
    trial: bool = False
    joins: bool = False
    """Whether it is opened by a child, which joins a run that is not open here any more."""
    ready: Latch = field(default_factory=Latch)
    closed: Latch = field(default_factory=Latch)
    run: wandb.Run | None = None
    holders: int = 1
    finishing: bool = False
    exit_code: int = 0


class Lease(NamedTuple):
    """One action's hold on an open run."""

    run: wandb.Run
    run_id: str
    opener: bool = False


def _hold_entry(entry: _OpenRun, run_id: str, opening: Opening, action: str) -> _OpenRun:
    if run_id != opening.joins:
        raise RunInUseError(
            f"the run id {run_id!r} of action {action!r} is in use by action {entry.opened_by!r} in this process; "
            "leave id= out, give each action its own, or set the id for the whole run with wandb_config(id=...)"
        )
    entry.holders += 1
    return entry


class OpenRuns:
    """All open runs of one process, by id. W&B allows one writer per id and process, so children borrow."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Hold no run: at first, and in a forked child, where the runs are its parent's and a lock may be taken."""
        self._lock = threading.Lock()
        self._globals_lock = threading.Lock()
        self._entries: dict[str, _OpenRun] = {}
        self._failed: dict[str, int] = {}
        """Exit codes of the last runs that failed here."""
        self._outer: dict[str, Any] | None = None
        self._pointed_at: wandb.Run | None = None
        self._agents = 0

    def acquire(
        self,
        opening: Opening,
        *,
        action: str,
        in_flyte: bool = True,
        local: bool = False,
        trial: bool = False,
        stop: Callable[[], None] | None = None,
    ) -> Lease:
        """Borrow the run that `opening` joins if it is open here, else open the run. Blocks.

        Args:
            opening: How to open the run.
            action: Who asks, for messages.
            in_flyte: Whether it is an action of Flyte, or a plain function outside of it.
            local: Whether it is an action of Flyte's local mode.
            trial: Whether it is a trial of a sweep.
            stop: Called when the run is stopped in W&B's UI.

        Raises:
            RunInUseError: Another action holds a run of this id, and this one does not join it.
            OpenRunError: W&B did not open the run.
        """
        while True:
            joins = opening.joins is not None
            new = _OpenRun(opened_by=action, in_flyte=in_flyte, local=local, trial=trial, joins=joins)
            run_id, entry, fresh = self._claim_entry(opening, new)
            if fresh:
                return self._open_entry(run_id, entry, opening, stop)
            entry.ready.wait()
            if entry.run is not None:
                lend_run(entry.run, opening.arguments)
                return Lease(run=entry.run, run_id=run_id)

    def release(self, lease: Lease, exit_code: int) -> int | None:
        """Let go of a run; the last holder finishes it with the outcome of its opener. Blocks, and never raises.

        Returns:
            The exit code with which the run was finished, or None where others still hold it.
        """
        with self._lock:
            entry = self._entries[lease.run_id]
            entry.holders -= 1
            if lease.opener:
                entry.exit_code = self._decide_outcome(lease.run_id, exit_code, joins=entry.joins)
            last = entry.holders == 0
        if not last:
            if global_names()["run"] is None:  # a library may have finished the run for this holder, and not for others
                self._update_wandb_globals()
            return None
        self._finish_entry(lease.run_id, entry)
        return entry.exit_code

    @contextmanager
    def beside_agents(self, sweep_id: str, environ: Mapping[str, str]) -> Iterator[None]:
        """Let `wandb.agent` run without harm to the runs that are open. Blocks for a moment when entered and left.

        What the agent's trials and the agent itself take for "the" run is a trial's, or none.

        Args:
            sweep_id: The sweep for which an agent may run.
            environ: Where it finds its sweep: variables of W&B.
        """
        process = os.getpid()
        with allow_agents(sweep_id, environ):
            self._count_agents(1)
            try:
                yield
            finally:
                if process == os.getpid():  # a forked child has left its parent's behind
                    self._count_agents(-1)

    def only(self, *, in_flyte: bool = False) -> wandb.Run | None:
        """Return the only open run, or None if there is none or more than one.

        None as well in Flyte's local mode: in its process there may be tasks that are not tracked.

        Args:
            in_flyte: Count only runs that actions of Flyte have opened.
        """
        with self._lock:
            entries = [entry for entry in self._entries.values() if entry.run and entry.in_flyte >= in_flyte]
        return entries[0].run if len(entries) == 1 and not entries[0].local else None

    def holds(self, lease: Lease) -> bool:
        """Whether the run of a lease is open."""
        entry = self._entries.get(lease.run_id)
        return entry is not None and entry.run is lease.run

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _claim_entry(self, opening: Opening, new: _OpenRun) -> tuple[str, _OpenRun, bool]:
        """Hold the run to join, or register the run to open (True). Waits while a run of that id is being finished."""
        while True:
            with self._lock:
                run_id = opening.joins if opening.joins in self._entries else self._free_run_id(opening)
                entry = self._entries.setdefault(run_id, new)
                if entry is new:
                    return run_id, new, True
                if entry.holders:
                    return run_id, _hold_entry(entry, run_id, opening, new.opened_by), False
            entry.closed.wait()

    def _free_run_id(self, opening: Opening) -> str:
        """Number the id where a run of it is open: two plain functions in one action, two local runs of a name."""
        entry = self._entries.get(opening.run_id)
        if entry is None or not entry.holders or not opening.numbered:
            return opening.run_id
        numbered = (f"{opening.run_id}-{number}" for number in count(2))
        return next(run_id for run_id in numbered if run_id not in self._entries)

    def _open_entry(self, run_id: str, entry: _OpenRun, opening: Opening, stop: Callable[[], None] | None) -> Lease:
        try:
            entry.run = run = open_run(opening if run_id == opening.run_id else opening._replace(run_id=run_id), stop)
        except BaseException:
            self._remove_entry(run_id, entry)
            raise
        finally:
            entry.ready.set()
        self._update_wandb_globals()
        return Lease(run=run, run_id=run_id, opener=True)

    def _finish_entry(self, run_id: str, entry: _OpenRun) -> None:
        assert entry.run is not None
        # Marked rather than left out by its own call: of two runs that finish at once, each would show the other one.
        entry.finishing = True
        self._update_wandb_globals()
        try:
            close_run(entry.run, entry.exit_code)
        finally:
            self._remove_entry(run_id, entry)

    def _decide_outcome(self, run_id: str, exit_code: int, *, joins: bool) -> int:
        """Return how a run ends: as its opener, but a run that has failed still has after a child has opened it again.

        Another attempt of its owner says anew what becomes of it.
        """
        if joins:
            return exit_code or self._failed.get(run_id, 0)
        self._failed.pop(run_id, None)
        if exit_code:
            self._failed[run_id] = exit_code
        if len(self._failed) > _MOST_FAILED:
            del self._failed[next(iter(self._failed))]
        return exit_code

    def _remove_entry(self, run_id: str, entry: _OpenRun) -> None:
        with self._lock:
            del self._entries[run_id]
        entry.closed.set()

    def _count_agents(self, more: int) -> None:
        with self._globals_lock:
            if not self._agents:
                self._pointed_at = global_names()["run"]  # whosever it is, an agent would finish it
            self._agents += more
        self._update_wandb_globals()

    def _list_lasting_runs(self, *, trial: bool) -> list[wandb.Run]:
        """Return the runs that nobody finishes; of trials only where `trial`."""
        with self._lock:
            entries = [entry for entry in self._entries.values() if not entry.finishing and entry.trial >= trial]
        return [entry.run for entry in entries if entry.run is not None]

    def _update_wandb_globals(self) -> None:
        """Point W&B's globals at the only open run; with several they would lead one task to another's run."""
        with self._globals_lock:
            # A user's test that stands in for `wandb.init` may do so for `wandb.log` as well.
            lasting = self._list_lasting_runs(trial=self._agents > 0)
            shown = [run for run in lasting if not is_stand_in(run)]
            if self._outer is None:
                self._outer = global_names()
            if shown or (self._agents and global_names()["run"] is self._pointed_at):
                self._pointed_at = shown[0] if len(shown) == 1 else None
                point_globals(self._pointed_at)
            elif not self._agents:  # else it is a run that the agent's function has opened by itself
                set_global_names(self._outer)
                self._outer = self._pointed_at = None
        if len(shown) > 1:
            log_once("several runs are open in this process, so wandb.run and wandb.log are unset; use get_wandb_run()")


OPEN_RUNS = OpenRuns()
"""The open runs of this process."""

os.register_at_fork(after_in_child=OPEN_RUNS.forget)
