"""Opening, marking and finishing runs, each within a bound."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from .._errors import OpenRunError
from .._logging import log_once, one_line
from .._place import api_url, without_userinfo
from .._start import START, moment_in
from ._agent_room import use_own_client
from ._configuration import HOSTS, effective_mode, offline_settings, own_settings
from ._dead_service import (
    abandon_service,
    log_dead_service,
    renew_service,
    run_late_teardown_hooks,
    service_behind,
    service_died,
    tolerate_dead_service,
)
from ._owned_runs import disown_run, own_run
from ._pickling import LeftBehind, pickle_config_by_value
from ._waiting import NotOpenedError, Waiting, free_run_id
from ._watchdog import WATCHDOG

if TYPE_CHECKING:
    import wandb

    from ._opening import Opening


BOUNDS: Final[Mapping[str, Any]] = {
    "finish_timeout": 600.0,
    "x_transaction_log_flush_interval": 1.0,
}
"""Fields of `wandb.Settings` where neither the user nor the environment sets them; all in seconds.

W&B's own are for ever, and 15. A run that is not finished in time stays on the disk, whole. How long a run may take to
open is said in `_waiting.py`.
"""


def default_bounds(*given: Collection[str]) -> dict[str, Any]:
    """Return the bounds that nobody has set, as far as this version of wandb knows them.

    Args:
        given: Names of settings that somebody has set.
    """
    import wandb

    known = wandb.Settings.model_fields.keys() - set().union(*given)
    return {name: value for name, value in BOUNDS.items() if name in known}


_LOG = logging.getLogger("flyte_wandb")
_SERVICE_VARIABLE: Final = "WANDB_SERVICE"
_FORGET_SECONDS: Final = 2.0
_SILENCE_SECONDS: Final = 5.0
"""How much later than it should W&B's service may say that the time to finish is over; then it counts as silent."""
_START_SECONDS: Final = 30.0
"""What starting the service and logging in may take beside `init_timeout`, before the service counts as silent."""
_REMEDY: Final = (
    "`flyte-wandb doctor` says what is wrong; on_error='offline' or 'ignore' (or FLYTE_WANDB_ON_ERROR) lets tasks go on"
)


def open_run(opening: Opening, stop: Callable[[], None] | None = None) -> wandb.Run:
    """Open the run, beside whatever else is open in this process, and check that it is the one asked for.

    Args:
        opening: Which run, and how.
        stop: What is called, in a thread of W&B's, when somebody stops the run in W&B's UI.

    Raises:
        OpenRunError: W&B refused, did not answer, or handed out another run. Its name is free again afterwards.
    """
    _client_settings(opening)
    if opening.shared:
        # W&B refuses a second writer of one run id behind the same service process.
        os.environ.pop(_SERVICE_VARIABLE, None)
    try:
        run = _open_rewound(opening, stop) or _open_started(opening, stop)
    except Exception as error:
        _forget_run_id(opening.run_id, error)
        raise OpenRunError(f"{_not_opened_message(opening)}: {_describe_reason(error)}; {_REMEDY}") from error
    if run.id != opening.run_id and not run.disabled:
        raise OpenRunError(f"{_not_opened_message(opening)}: it handed out the run {run.id!r} instead")
    tolerate_dead_service(run)
    pickle_config_by_value(run)
    if opening.arguments.get("allow_val_change", run.resumed is True):
        _allow_config_changes(run)
    _add_beside(run, opening)
    own_run(run)
    return run


def _add_beside(run: wandb.Run, opening: Opening) -> None:
    beside, has = opening.beside, run.tags or ()
    users = opening.arguments.get("tags", _client_settings(opening).run_tags or ()) if beside.again else ()
    tags = tuple(dict.fromkeys((*has, *users, *beside.tags)))
    if tags != tuple(has):
        run.tags = tags
    if beside.name and not (run.resumed or _client_settings(opening).run_name):
        run.name = beside.name
    if beside.notes and not run.notes:
        run.notes = beside.notes
    if beside.config:
        run.config.setdefaults(beside.config)  # type: ignore[no-untyped-call]


def _call_init(opening: Opening, given: Mapping[str, Any], stop: Callable[[], None] | None) -> wandb.Run:
    import wandb

    given = {**given, "tags": ()} if opening.beside.again else given
    said = _client_settings(opening)
    arguments = {
        name: value for name, value in given.items() if not (name in opening.below and getattr(said, f"run_{name}"))
    }
    settings = _build_settings(arguments.pop("settings", {}), opening, stop)
    if opening.shared:
        arguments.pop("mode", None)
    init = partial(wandb.init, id=opening.run_id, reinit="create_new", settings=settings, **arguments)
    limit = settings.get("init_timeout", own_settings().init_timeout) + _START_SECONDS
    with use_own_client(), HOSTS.logged_in(opening.host):
        init = partial(_init_with_living_service, init, limit)
        waiting = _watch_opening(opening, settings, arguments.get("mode"))
        return waiting.open_run(init) if waiting else init()


def _init_with_living_service(init: Callable[[], wandb.Run], limit: float) -> wandb.Run:
    """Call `init`, and once more where W&B's service was dead, or silent for longer than `limit` seconds."""
    service = service_behind()
    try:
        with WATCHDOG.within(limit, abandon_service):
            return init()
    except Exception as error:
        if not service_died(error):
            raise
        renew_service(service)
        with WATCHDOG.within(limit, abandon_service):
            return init()


def _watch_opening(opening: Opening, settings: Mapping[str, Any], mode: str | None) -> Waiting | None:
    """Return how long the opening may wait for the server, or None where it asks none."""

    def effective(name: str) -> Any:
        return settings[name] if name in settings else getattr(_client_settings(opening), name)

    if effective_mode(mode or effective("mode")) != "online":
        return None
    server = effective("base_url")
    return Waiting(
        run_id=opening.run_id,
        server=server,
        proxy=effective("https_proxy" if server.startswith("https:") else "http_proxy"),
        at_most=effective("init_timeout"),
        gives_up="init_timeout" not in settings.keys() | _client_settings(opening).model_fields_set,
    )


def _open_started(opening: Opening, stop: Callable[[], None] | None) -> wandb.Run:
    """Open the run; one that an earlier attempt was to fork, but has not opened, is forked now."""
    from wandb.errors import UsageError

    try:
        return _call_init(opening, opening.arguments, stop)
    except UsageError as error:  # what W&B raises where resume="must" finds no run
        if opening.fork_from is None:
            raise
        _forget_run_id(opening.run_id, error)
        return _call_init(opening, {**_without_start(opening), "fork_from": opening.fork_from}, stop)


def _without_start(opening: Opening) -> dict[str, Any]:
    return {name: value for name, value in opening.arguments.items() if name not in START}


def _open_rewound(opening: Opening, stop: Callable[[], None] | None) -> wandb.Run | None:
    """Open the run behind an earlier step, or return None where that is not asked for, or W&B cannot do it."""
    if opening.rewind is None:
        return None
    point = moment_in(opening.run_id, opening.rewind)
    try:
        if opening.shared:
            raise ValueError("a run that several processes may write to has no steps of its own; use joinable=False")
        return _call_init(opening, {**_without_start(opening), "resume_from": point}, stop)
    except NotOpenedError:  # a server that was not reached has not refused to rewind
        raise
    except Exception as error:
        _forget_run_id(opening.run_id, error)
        log_once(
            f"the run {opening.run_id!r} goes on at its end, not after step {opening.rewind}: W&B did not rewind it: "
            f"{one_line(error)}"
        )
        return None


def lend_run(run: wandb.Run, arguments: Mapping[str, Any]) -> None:
    """Give a run to a joiner, with whose configuration W&B does as with that of a writer elsewhere.

    Args:
        run: An open run.
        arguments: What the joiner would have given `wandb.init`.
    """
    if arguments.get("allow_val_change", True):
        _allow_config_changes(run)
    if config := arguments.get("config"):
        run.config.update(config, allow_val_change=True)  # type: ignore[no-untyped-call]


def _allow_config_changes(run: wandb.Run) -> None:
    """Have a configuration take another value for a key that it has: the last one wins.

    W&B refuses that within one run, to find slips. Here the first value is that of another attempt or task. There is no
    public way: `wandb.init(allow_val_change=True)` does nothing (wandb 0.31), and a configuration allows changes by
    itself only where its settings say that it is in a notebook, which is all that it asks of them.
    """
    run.config._set_settings(SimpleNamespace(_jupyter=True))  # type: ignore[no-untyped-call]


def note_failure(run: wandb.Run, writer: str, error: BaseException | None) -> None:
    """Write to the run's summary that one of its writers failed. The run's state is its owner's to tell."""
    try:
        run.summary[f"failed/{writer}"] = f"{type(error).__name__}: {error}"
    except Exception:
        _LOG.exception("the failure of %s could not be written to the run %s", writer, run.id)


def mark_preempting(run: wandb.Run) -> None:
    """Tell W&B that the machine of a run is being taken away. What goes wrong is logged."""
    try:
        run.mark_preempting()
    except Exception:
        _LOG.exception("W&B was not told that the run %s is being preempted", run.id)


def close_run(run: wandb.Run, exit_code: int) -> None:
    """Finish a run with the outcome of its task. What goes wrong is logged: the task's result is already there."""
    limit = getattr(run.settings, "finish_timeout", 0.0)
    disown_run(run)
    try:
        with WATCHDOG.within(limit and limit + _SILENCE_SECONDS, partial(abandon_service, run)):
            run.finish(exit_code=exit_code)
    except Exception as error:
        if service_died(error):
            log_dead_service(run)
            renew_service(service_behind(run), exit_code)
            run_late_teardown_hooks(run)
        else:
            _LOG.exception("the run %s could not be finished; its last rows may be missing in W&B", run.id)


def _build_settings(given: Mapping[str, Any], opening: Opening, stop: Callable[[], None] | None) -> dict[str, Any]:
    """Return the fields of `wandb.Settings` to set: the user's, beside what this package decides."""
    ours = {
        "stop_fn": LeftBehind(stop) if stop else None,
        **default_bounds(given.keys(), _client_settings(opening).model_fields_set),
    }
    host = {"base_url": api_url(opening.host)} if opening.host else {}
    return {**ours, **given, **opening.settings, **host}


def _client_settings(opening: Opening) -> wandb.Settings:
    """Return the client's own settings, as far as this run needs them."""
    online = opening.shared or effective_mode(opening.arguments.get("mode")) == "online"
    return own_settings() if online else offline_settings()


def _not_opened_message(opening: Opening) -> str:
    server = api_url(opening.host) if opening.host else _client_settings(opening).base_url
    project = opening.arguments.get("project")
    where = f" (project {project!r})" if project else ""
    return f"W&B did not open the run {opening.run_id!r}{where} at {without_userinfo(server)}"


def _describe_reason(error: Exception) -> str:
    return str(error) if isinstance(error, NotOpenedError) else f"{type(error).__name__}: {one_line(error)}"


def _forget_run_id(run_id: str, error: Exception) -> None:
    """Free the id of a run that was not opened: W&B's service keeps it registered, and refuses it to a retry.

    A run that is in use is somebody else's and stays as it is.
    """
    from wandb.sdk.mailbox.mailbox_handle import ServerResponseError

    if isinstance(error, ServerResponseError) or (isinstance(error, NotOpenedError) and error.freed):
        return
    try:
        free_run_id(run_id, seconds=_FORGET_SECONDS)
    except Exception:
        _LOG.debug("the run id %s could not be freed", run_id, exc_info=True)
