"""Which tracked function is the trial, where W&B's own agent runs several of them for one trial."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Final, NamedTuple

from flyte_wandb_hookspecs import ParentRun, Request, Trial


class _Claim(NamedTuple):
    """The trial that the agent of this process does at present, and the action that is it."""

    trial: Trial
    action: tuple[str, str]
    opened: threading.Event
    """Whether its run was opened, or nobody will open it."""


class AgentTrials:
    """The first tracked function of an agent's trial is the trial, in all of its attempts; the others join its run.

    An agent names its trial in the environment, so that a process has one at a time.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of no trial: at first, and in a forked child, where a thread of the parent may hold the lock."""
        self._lock = threading.Lock()
        self._claim: _Claim | None = None

    def place(self, request: Request, trial: Trial) -> Request:
        """Return the request of the trial, or of a child of it. After that of a trial, `settle` has to be called."""
        action = (request.run_name, request.action_name)
        with self._lock:
            claim = self._claim
            if claim is None or claim.trial != trial:
                self._claim = _Claim(trial=trial, action=action, opened=threading.Event())
                return replace(request, trial=trial)
        if claim.action == action and request.attempt > 1:
            return replace(request, trial=trial)
        parent = ParentRun(run_id=trial.run_id, project=trial.project, entity=trial.entity, host=trial.host)
        return replace(request, parent=parent)

    def settle(self, request: Request) -> None:
        """Let children join: the trial has opened its run, or did not come to it."""
        claim = self._claim
        if claim and request.trial == claim.trial:
            claim.opened.set()

    def wait_for_run(self, request: Request) -> None:
        """Wait until the trial has opened the run that this child of it joins. Blocks."""
        claim, parent = self._claim, request.parent
        if claim and parent and parent.run_id == claim.trial.run_id:
            claim.opened.wait()


AGENT_TRIALS: Final = AgentTrials()
"""The trials of agents outside of Flyte."""

os.register_at_fork(after_in_child=AGENT_TRIALS.forget)
