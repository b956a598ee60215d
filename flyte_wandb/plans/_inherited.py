"""What a task inherits through Flyte's context: its parent's run, the sweep it works for, the trial that it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from flyte_wandb_hookspecs import ParentRun, Trial, frozen_copy

from .._errors import SettingError
from .._logging import quoted
from .._place import Place
from ..settings._context import read_record, write_record
from ..settings._limits import RUN_ID

# The id alone stands under the key that flyteplugins-wandb uses, so a task that only knows that key can join the run.
RUN_ID_KEY: Final = "_wandb_run_id"
RUN_KEY: Final = "_wandb_run"
"""Key of the whole `ParentRun`, as JSON."""


def write_run(run: ParentRun) -> dict[str, str]:
    """Write the identity of a run for the tasks below it."""
    return {RUN_ID_KEY: run.run_id, **write_record(RUN_KEY, run)}


def read_run(context: Mapping[str, str]) -> ParentRun | None:
    """Read the nearest tracked run above, or None. A bare ``_wandb_run_id`` is enough.

    Raises:
        SettingError: The context's value is not a run.

    >>> read_run(write_run(ParentRun(run_id="r1-a0", joinable=False))).joinable
    False
    """
    run_id = context.get(RUN_ID_KEY)
    if not run_id:
        return None
    if fault := RUN_ID.fault(run_id):
        raise SettingError(f"{RUN_ID_KEY}={quoted(run_id)} in Flyte's context is not a run: {fault}")
    return read_record(context, RUN_KEY, ParentRun, "run", run_id=run_id)


TRIAL_KEY: Final = "_wandb_trial"

# What `wandb.agent` sets for each trial before it calls the function (wandb 0.31, `agents/pyagent.py`).
_RUN_VARIABLE: Final = "WANDB_RUN_ID"
_SWEEP_VARIABLE: Final = "WANDB_SWEEP_ID"
_PARAMETERS_VARIABLE: Final = "WANDB_SWEEP_PARAM_PATH"

# Empty texts here and below: `flyte.custom_context` merges, so a task can override a key but not remove it.
NO_TRIAL: Final = {TRIAL_KEY: ""}
"""What tells the tasks below a trial that they are none themselves."""


def write_trial(trial: Trial) -> dict[str, str]:
    """Write a trial for the action that runs it. A trial has no parent's run."""
    return {RUN_ID_KEY: "", RUN_KEY: "", **write_record(TRIAL_KEY, trial)}


def read_trial(context: Mapping[str, str]) -> Trial | None:
    """Read which trial of a sweep an action is, or None.

    >>> read_trial(write_trial(Trial(run_id="x1", sweep_id="s1", parameters={"lr": 0.1}))).parameters
    mappingproxy({'lr': 0.1})
    """
    return read_record(context, TRIAL_KEY, _frozen_trial, "trial")


def agent_run_id(environ: Mapping[str, str]) -> str | None:
    """Return the id of the run that W&B's agent wants of this process or thread, or None."""
    # Without a sweep, WANDB_RUN_ID is an id that the user has set.
    return environ.get(_RUN_VARIABLE) if environ.get(_SWEEP_VARIABLE) else None


def agent_trial(environ: Mapping[str, str]) -> Trial | None:
    """Return the trial that W&B's agent wants of this process or thread, or None.

    Args:
        environ: The environment, in which the agent names run, sweep and a file with parameters.
    """
    run_id = agent_run_id(environ)
    if not run_id:
        return None
    from ..wandb_client._sweeps import read_sweep_parameters  # loads what opens runs, which decoration and links do not

    place = {name: environ.get(f"WANDB_{name.upper()}") for name in ("project", "entity")}
    return _frozen_trial(
        run_id=run_id,
        sweep_id=environ[_SWEEP_VARIABLE],
        parameters=read_sweep_parameters(environ.get(_PARAMETERS_VARIABLE)),
        host=environ.get("WANDB_BASE_URL"),
        **place,
    )


def _frozen_trial(**fields: Any) -> Trial:
    """Return a trial with parameters that no hook can change."""
    trial = Trial(**fields)
    return replace(trial, parameters=frozen_copy(trial.parameters))


# As for runs: the id alone, as flyteplugins-wandb has it, and all of the sweep as JSON.
SWEEP_ID_KEY: Final = "_wandb_sweep_id"
SWEEP_KEY: Final = "_wandb_sweep"


class SweepRef(NamedTuple):
    """A sweep of W&B.

    Attributes:
        sweep_id: W&B's id of it.
        project: Its project, or None where only the id is known.
        entity: Its entity, or None where only the id is known.
        host: Base URL of the server that keeps it, or None for the client's own.
    """

    sweep_id: str
    project: str | None = None
    entity: str | None = None
    host: str | None = None

    @property
    def place(self) -> Place:
        """Where the sweep lives."""
        return Place(project=self.project, entity=self.entity, host=self.host)


def write_sweep(sweep: SweepRef) -> dict[str, str]:
    """Write a sweep for the tasks below the one that created it."""
    return {SWEEP_ID_KEY: sweep.sweep_id, **write_record(SWEEP_KEY, sweep)}


def read_sweep(context: Mapping[str, str]) -> SweepRef | None:
    """Read the sweep above, or None. A bare ``_wandb_sweep_id`` is enough.

    >>> read_sweep({"_wandb_sweep_id": "s1"})
    SweepRef(sweep_id='s1', project=None, entity=None, host=None)
    """
    sweep_id = context.get(SWEEP_ID_KEY)
    return read_record(context, SWEEP_KEY, SweepRef, "sweep", sweep_id=sweep_id) if sweep_id else None
