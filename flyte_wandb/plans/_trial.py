"""The trial of a sweep that an action, or a function under `wandb.agent`, is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from flyte_wandb_hookspecs import Trial, frozen_copy

from .. import wandb_client as _client
from ..settings._records import read, written
from ._parent import RUN_ID_KEY, RUN_KEY

TRIAL_KEY: Final = "_wandb_trial"
_RUN_VARIABLE: Final = "WANDB_RUN_ID"
_SWEEP_VARIABLE: Final = "WANDB_SWEEP_ID"
_PARAMETERS_VARIABLE: Final = "WANDB_SWEEP_PARAM_PATH"

NO_TRIAL: Final = {TRIAL_KEY: ""}
"""What tells the tasks below a trial that they are none themselves."""


def written_trial(trial: Trial) -> dict[str, str]:
    """Write a trial for the one action that is it: it has no parent's run."""
    return {RUN_ID_KEY: "", RUN_KEY: "", **written(TRIAL_KEY, trial)}


def read_trial(context: Mapping[str, str]) -> Trial | None:
    """Read which trial of a sweep an action is, or None.

    >>> read_trial(written_trial(Trial(run_id="x1", sweep_id="s1", parameters={"lr": 0.1}))).parameters
    mappingproxy({'lr': 0.1})
    """
    return _frozen(read(context, TRIAL_KEY, Trial, "trial"))


def agents_run_id(environ: Mapping[str, str]) -> str | None:
    """Return the id of the run that W&B's agent wants of this process or thread, or None."""
    return environ.get(_RUN_VARIABLE) if environ.get(_SWEEP_VARIABLE) else None


def agents_trial(environ: Mapping[str, str]) -> Trial | None:
    """Return the trial that W&B's agent wants of this process or thread, or None.

    Args:
        environ: The environment, in which the agent names run, sweep and a file with parameters.
    """
    run_id = agents_run_id(environ)
    if not run_id:
        return None
    place = {name: environ.get(f"WANDB_{name.upper()}") for name in ("project", "entity")}
    return _frozen(
        Trial(
            run_id=run_id,
            sweep_id=environ[_SWEEP_VARIABLE],
            parameters=_client.sweep_parameters(environ.get(_PARAMETERS_VARIABLE)),
            host=environ.get("WANDB_BASE_URL"),
            **place,
        )
    )


def _frozen(trial: Trial | None) -> Trial | None:
    """Return the trial with parameters that no hook can change."""
    parameters: Any = frozen_copy(trial.parameters) if trial else None
    return replace(trial, parameters=parameters) if trial else None
