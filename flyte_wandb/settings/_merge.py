"""Merge the settings of three places, key by key: defaults < context < decorator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from flyte_wandb_hookspecs import ParentRun, Settings, frozen_copy

from .._errors import SettingError
from .._start import START, run_of, start_fault
from ._context import RUNS, read_settings
from ._schema import OWN_FIELDS, check_settings

ON_ERROR_VARIABLE: Final = "FLYTE_WANDB_ON_ERROR"
"""Environment variable for `on_error` where neither decorator nor context sets it."""

PLACE_FIELDS: Final = ("project", "entity", "host")
"""The settings of the place of runs. They also apply to sweeps that do not set theirs."""


def merge_settings(
    context: Mapping[str, Any], decorator: Mapping[str, Any], *, parent: ParentRun | None, action_name: str
) -> Settings:
    """Merge the settings of a context and a decorator, both checked; a key that is not set overrides nothing.

    An id in the context is the id of the first tracked action; an action below it appends its name. `resume_from` in
    the context applies to the first tracked action only.

    Raises:
        SettingError: Context and decorator contradict each other about where the run starts.

    >>> merge_settings({"project": "a", "id": "exp"}, {"tags": ["x"]}, parent=None, action_name="a0").project
    'a'
    >>> merge_settings({"id": "exp"}, {}, parent=ParentRun(run_id="exp"), action_name="a1").id
    'exp-a1'
    """
    given = {**_of_context(context, decorator, parent=parent, action_name=action_name), **decorator}
    if fault := start_fault(given):
        raise SettingError(f"wandb_config and wandb_init contradict each other for {action_name!r}: {fault}")
    given = {**_of_start(given), **given}
    if "settings" in given:
        given["settings"] = {**context.get("settings", {}), **decorator.get("settings", {})}
    own = {name: frozen_copy(given.pop(name)) for name in OWN_FIELDS if name in given}
    return Settings(**own, init=frozen_copy(given))


def _of_context(
    context: Mapping[str, Any], decorator: Mapping[str, Any], *, parent: ParentRun | None, action_name: str
) -> dict[str, Any]:
    """Return what the context says to this action, below what its decorator says."""
    if not context:
        return {}
    given = dict(context)
    if parent is not None:
        given.pop("resume_from", None)
        if "id" in given:
            given["id"] = f"{given['id']}-{action_name}"
    if not decorator.keys().isdisjoint(START):  # one choice under three names
        given = {name: value for name, value in given.items() if name not in START}
    return given


def _of_start(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows from a start at a step, or over: one writer, and the id where it goes back in a run."""
    if not given.get("resume_from") and not given.get("fork_from") and given.get("on_retry") != "restart":
        return {}
    moment = given.get("resume_from")
    return {"joinable": False} | ({"id": run_of(moment)} if moment else {})


def read_settings_over_environ(context: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a context over those of the environment."""
    if not os.environ.get(ON_ERROR_VARIABLE):
        return read_settings(context)
    given = {"on_error": os.environ[ON_ERROR_VARIABLE]}
    return {**check_settings(given, f"{ON_ERROR_VARIABLE} as settings"), **read_settings(context)}


def merge_sweep_settings(context: Mapping[str, str], decorator: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a sweep: the decorator's over those of the context, and these over the place of runs."""
    from ._sweep_schema import SWEEPS  # decoration, links and most tasks do without

    of_runs = read_settings(context, RUNS)
    place: dict[str, Any] = {name: of_runs[name] for name in PLACE_FIELDS if name in of_runs}
    return {**place, **read_settings(context, SWEEPS), **decorator}
