"""Around a call of a function decorated with `wandb_sweep`: find or create the sweep, then call the function."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import flyte

from .._action import Action, current_action
from .._errors import DownloadError, SettingError, SweepError
from .._logging import one_line, quoted
from .._place import Place, api_url, without_userinfo
from ..plans._inherited import SweepRef, read_sweep, write_sweep
from ..plans._spec import Spec
from ..results.downloads._after_task import download_after_task, download_after_task_async, reference_of_sweep
from ..results.downloads._reference import Reference, read_reference
from ..runs._registry import OPEN_RUNS
from ..settings._context import RUNS, read_settings
from ..settings._merge import PLACE_FIELDS, merge_sweep_settings
from ..settings._sweep_schema import SWEEP_CONFIG
from ..tasks._threads import end_fork, run_uninterrupted
from ..wandb_client._agent_room import own_variable
from ..wandb_client._api import connect_api
from ..wandb_client._configuration import effective_mode, read_configured
from ..wandb_client._sweeps import create_sweep, find_sweep
from ._controller import connect_controller

_LOG: Final = logging.getLogger("flyte_wandb")
_VARIABLE_OF: Final = {"project": "WANDB_PROJECT", "entity": "WANDB_ENTITY", "host": "WANDB_BASE_URL"}
"""By which W&B's functions find a place."""


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """What a task asks of W&B: a sweep with a configuration, in a place.

    Attributes:
        id: A sweep that exists, as the user names it; None for one of this configuration.
        config: What W&B calls the configuration of a sweep; its name is the user's, else that of run and action.
        unique: Whether no other task's sweep has this name.
        prior_runs: Ids of runs that count as trials from the start.
        place: Where the sweep is to live.
    """

    id: str | None
    config: Mapping[str, Any]
    unique: bool
    prior_runs: tuple[str, ...]
    place: Place


def call_sync(function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call `function` inside the right sweep."""
    with open_sweep(spec) as sweep, flyte.custom_context(**write_sweep(sweep)):
        result = function(*arguments, **named)
    if _downloads_after_task(spec):
        download_after_task(reference_of_sweep(sweep))
    return result


async def call_async(
    function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Call the coroutine function `function` inside the right sweep, and keep the event loop free meanwhile."""
    stack, process = ExitStack(), os.getpid()
    sweep, cancelled = await run_uninterrupted(stack.enter_context, open_sweep(spec))
    try:
        if cancelled:
            raise cancelled
        with flyte.custom_context(**write_sweep(sweep)):
            result = await function(*arguments, **named)
    finally:
        if process != os.getpid():
            end_fork(sys.exc_info()[1])
        _, late = await run_uninterrupted(stack.close)
    if late:
        raise late
    if _downloads_after_task(spec):
        await download_after_task_async(reference_of_sweep(sweep))
    return result


@contextmanager
def open_sweep(spec: Spec) -> Iterator[SweepRef]:
    """Give the sweep of the running task, beside which `wandb.agent` harms nothing. Blocks when it is entered and left.

    Raises:
        SweepError: It runs outside of Flyte, W&B is offline, nobody says what to search, or W&B refused it.
        SettingError: A setting in Flyte's context cannot be used.
    """
    sweep = current_sweep(spec)
    with OPEN_RUNS.beside_agents(sweep.sweep_id, _place_variables(sweep.place)):
        yield sweep


def current_sweep(spec: Spec, named: str | None = None) -> SweepRef:
    """Return the sweep of the running task: the one that is named, the one above, or one that is made. Blocks.

    Args:
        spec: The task's.
        named: What `read_sweep_reference` takes, or None.

    Raises:
        SweepError: As `open_sweep`.
        SettingError: As `open_sweep`.
    """
    above, asked = _current_request(spec)
    if named or (asked.id and not above):
        return _find_named(named or asked.id or "", asked.place)
    return above or _find_or_create(asked)


def read_sweep_reference(text: str) -> Reference:
    """Read the name of a sweep that exists: ``ENTITY/PROJECT/ID``, an id, or the address of its page.

    Raises:
        SettingError: It is neither of these.
    """
    try:
        reference = read_reference(text, "sweep")
    except DownloadError as error:
        raise SettingError(str(error)) from None
    if reference.kind != "sweep":
        raise SettingError(f"{quoted(text)} names a run of W&B; write the name of a sweep, ENTITY/PROJECT/ID")
    return reference


def _find_named(text: str, place: Place) -> SweepRef:
    """Return an existing sweep. Missing parts of its name are filled in as for a new sweep."""
    reference = read_sweep_reference(text)
    where = Place(**{name: getattr(reference, name) or getattr(place, name) for name in PLACE_FIELDS})
    controller = connect_controller(_sweep_ref(reference.id, where))
    controller.read_config()  # an error before any work where there is none
    return _sweep_ref(reference.id, controller.place)


def _current_request(spec: Spec) -> tuple[SweepRef | None, SweepRequest]:
    """Return the sweep above, and the request for a new one if there is none."""
    action = current_action()
    if action is None:
        raise SweepError(f"{spec.task_name} was called outside of Flyte; run it with flyte.run")
    _refuse_offline(action, spec)
    above, asked = read_sweep(action.context), _build_sweep_request(action, spec)
    return (above if above is None or above.project else _sweep_ref(above.sweep_id, asked.place)), asked


def _downloads_after_task(spec: Spec) -> bool:
    """Whether the runs of the sweep are downloaded after this task: only after the task that created it."""
    action = current_action()
    assert action is not None
    return not read_sweep(action.context) and bool(
        merge_sweep_settings(action.context, spec.settings).get("download_logs")
    )


def _build_sweep_request(action: Action, spec: Spec) -> SweepRequest:
    given = merge_sweep_settings(action.context, spec.settings)
    config = {name: given[name] for name in SWEEP_CONFIG if name in given}
    beside = [*config, *(["prior_runs"] if "prior_runs" in given else [])]
    if "id" in given and beside:
        raise SettingError(
            f"id={quoted(given['id'])} names an existing sweep, and W&B has its configuration; remove "
            f"{', '.join(beside)} from wandb_sweep and wandb_sweep_config, or remove id"
        )
    return SweepRequest(
        id=given.get("id"),
        config={"name": f"{action.run_name}-{action.name}", **config},
        unique="name" not in config,
        prior_runs=tuple(given.get("prior_runs", ())),
        # Not as W&B's client would find it, for a task beside this one may have it look elsewhere.
        place=Place(**{name: given.get(name) or own_variable(_VARIABLE_OF[name]) for name in PLACE_FIELDS}),
    )


def _refuse_offline(action: Action, spec: Spec) -> None:
    mode = effective_mode(read_settings(action.context, RUNS).get("mode"))
    if mode != "online":
        raise SweepError(
            f"{spec.task_name} needs a sweep, but W&B is {mode} here, and only its server picks the parameters; "
            "set WANDB_MODE=online (or mode='online')"
        )


def _find_or_create(asked: SweepRequest) -> SweepRef:
    missing = [name for name in ("method", "parameters") if name not in asked.config]
    if missing:
        raise SweepError(
            f"the sweep {asked.config['name']!r} has nothing to search: {' and '.join(missing)} not set; set them "
            "with wandb_sweep_config(...) in with_runcontext(custom_context=...), or in wandb_sweep(...)"
        )
    return _find_existing(asked) or _create_new(asked)


def _find_existing(asked: SweepRequest) -> SweepRef | None:
    """Return the sweep that an earlier attempt of this action created, or None, also if the project does not exist yet.

    Raises:
        SweepError: W&B does not answer, or does not know the key.
    """
    if not asked.unique:
        return None
    try:
        api = connect_api(asked.place)
    except Exception as error:
        raise SweepError(_not_created_message(asked, error)) from error
    try:
        found = find_sweep(api, asked.place, asked.config["name"])
    except Exception:
        _LOG.debug("no sweep of an earlier attempt was found", exc_info=True)
        return None
    return _sweep_ref(*found) if found else None


def _create_new(asked: SweepRequest) -> SweepRef:
    try:
        return _sweep_ref(*create_sweep(connect_api(asked.place), asked.place, asked.config, asked.prior_runs))
    except Exception as error:
        raise SweepError(_not_created_message(asked, error)) from error


def _not_created_message(asked: SweepRequest, error: Exception) -> str:
    where = api_url(asked.place.host) if asked.place.host else read_configured("base_url")[0]
    project = f" (project {asked.place.project!r})" if asked.place.project else ""
    what = f"the sweep {asked.config['name']!r}{project} at {without_userinfo(where)}"
    return f"W&B did not create {what}: {type(error).__name__}: {one_line(error)}"


def _sweep_ref(sweep_id: str, place: Place) -> SweepRef:
    return SweepRef(sweep_id=sweep_id, project=place.project, entity=place.entity, host=place.host)


def _place_variables(place: Place) -> dict[str, str]:
    """Return the variables by which W&B's functions find a place."""
    values = {"project": place.project, "entity": place.entity, "host": api_url(place.host) if place.host else None}
    return {_VARIABLE_OF[name]: value for name, value in values.items() if value}
