"""Opening, lending, marking and finishing runs.

`_init` has the call of `wandb.init`, and `_start_point` where a run starts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from .._errors import OpenRunError
from .._logging import log_once, one_line
from .._place import api_url, without_userinfo
from ._dead_service import (
    abandon_service,
    log_dead_service,
    renew_service,
    run_late_teardown_hooks,
    service_behind,
    service_died,
    tolerate_dead_service,
)
from ._init import call_init, client_settings
from ._machine_probe import note_probe, wait_for_probe
from ._owned_runs import disown_run, own_run
from ._packages import hand_packages_over, hands_packages_over
from ._pickling import pickle_config_by_value
from ._secondary_config import send_config_once
from ._start_point import forget_run_id, open_at_start
from ._tensorboard import is_tensorboard_patched, note_tensorboard, restore_tensorboard
from ._waiting import NotOpenedError
from ._watchdog import WATCHDOG

if TYPE_CHECKING:
    import wandb

    from ._opening import Opening


_LOG = logging.getLogger("flyte_wandb")
_SERVICE_VARIABLE: Final = "WANDB_SERVICE"
_SILENCE_SECONDS: Final = 5.0
"""How much later than it should W&B's service may say that the time to finish is over; then it counts as silent."""
_REMEDY: Final = (
    "`flyte-wandb doctor` finds the cause; on_error='offline' or 'ignore' (or FLYTE_WANDB_ON_ERROR) lets tasks continue"
)


def open_run(opening: Opening, stop: Callable[[], None] | None = None) -> wandb.Run:
    """Open the run, beside whatever else is open in this process, and check that it is the one asked for.

    Args:
        opening: Which run, and how.
        stop: Called in a thread of W&B when the run is stopped in W&B's UI.

    Raises:
        OpenRunError: W&B refused, did not answer, or handed out another run. Its name is free again afterwards.
    """
    client = client_settings(opening)  # first, for what W&B does not take of the environment has a message of its own
    if opening.shared:
        # W&B refuses a second writer of one run id behind the same service process, such as that of the launcher.
        os.environ.pop(_SERVICE_VARIABLE, None)
    patched_before, packages = is_tensorboard_patched(), hands_packages_over(client, opening)
    try:
        run = open_at_start(opening, partial(call_init, opening, client, stop, packages=packages))
    except Exception as error:
        forget_run_id(opening.run_id, error)
        raise OpenRunError(f"{_not_opened_message(opening, client)}: {_describe_reason(error)}; {_REMEDY}") from error
    if is_stand_in(run):
        return run
    opened = run_settings(run)  # each property of a run enters a context for W&B's log (wandb 0.31)
    if opened.run_id != opening.run_id and not run.disabled:
        raise OpenRunError(
            f"{_not_opened_message(opening, client)}: it returned the run {run.id!r} instead{_hint_at_sweep()}"
        )
    note_tensorboard(run, patched_before=patched_before)
    tolerate_dead_service(run)
    if packages:
        hand_packages_over(run)
    pickle_config_by_value(run)
    if opening.arguments.get("allow_val_change", opened.resumed is True):
        _allow_config_changes(run)
    if opening.secondary:
        send_config_once(run, opening.config_of_owner)
    else:
        note_probe(run, opened)
    _add_beside(run, opening, client)
    _log_next_step(run, opening)
    own_run(run)
    return run


def is_stand_in(run: Any) -> bool:
    """Whether a run is not W&B's: tests of users replace `wandb.init`.

    It is passed to the task unchanged, and finished with its outcome. No other part of W&B is behind it.
    """
    import wandb

    # Not `isinstance`: a mock says that it is an instance of the class that it stands in for.
    return not issubclass(type(run), wandb.Run)


def _add_beside(run: wandb.Run, opening: Opening, client: wandb.Settings) -> None:
    beside, present = opening.beside, run_settings(run).run_tags or ()
    # Another attempt is opened without tags, so that those of the attempt before stay.
    users = opening.arguments.get("tags", client.run_tags or ()) if beside.again else ()
    tags = tuple(dict.fromkeys((*present, *users, *beside.tags)))
    if tags != tuple(present):  # else each opening would cost a request
        run.tags = tags
    if beside.name and not (run.resumed or client.run_name):
        run.name = beside.name
    if beside.notes and not run.notes:
        run.notes = beside.notes
    if beside.config:
        run.config.setdefaults(beside.config)  # type: ignore[no-untyped-call]


def _log_next_step(run: wandb.Run, opening: Opening) -> None:
    if opening.beside.again and run.resumed and run.starting_step and opening.rewind is None and not opening.shared:
        log_once(
            f"the run {run.id!r} continues at step {run.starting_step}, and W&B drops rows with a smaller step=; "
            "use checkpoint_step to go back to a checkpoint, or on_retry='restart' to start the run over"
        )


def lend_run(run: wandb.Run, arguments: Mapping[str, Any]) -> None:
    """Write a joiner's configuration to the run that it borrows, as W&B does for a writer in another process.

    Args:
        run: An open run.
        arguments: What the joiner would have given `wandb.init`.
    """
    if is_stand_in(run):
        return
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
    """Write to the run's summary that one of its writers failed. Its state stays as its owner sets it."""
    try:
        run.summary[f"failed/{writer}"] = f"{type(error).__name__}: {error}"
    except Exception:
        _LOG.exception("the failure of %s could not be written to the run %s", writer, run.id)


def mark_preempting(run: wandb.Run) -> None:
    """Tell W&B that the machine of a run is being taken away. What goes wrong is logged."""
    try:
        run.mark_preempting()
    except Exception:
        _LOG.exception("the run %s could not be marked preempted in W&B", run.id)


def close_run(run: wandb.Run, exit_code: int) -> None:
    """Finish a run with the outcome of its task. What goes wrong is logged: the task's result is already there."""
    if is_stand_in(run):
        limit = 0.0
    else:
        settings = run_settings(run)
        limit = getattr(settings, "finish_timeout", 0.0)
        wait_for_probe(run, settings)
        disown_run(run)
    try:
        with WATCHDOG.within(limit and limit + _SILENCE_SECONDS, partial(abandon_service, run)):
            run.finish(exit_code=exit_code)
    except Exception as error:
        if service_died(error):
            log_dead_service(run)
            renew_service(service_behind(run), exit_code)
            # What `finish` would have come to, had it not broken off.
            run_late_teardown_hooks(run)
        else:
            _LOG.exception("the run %s could not be finished; its last rows may be missing in W&B", run.id)
    restore_tensorboard(run)


def run_settings(run: wandb.Run) -> wandb.Settings:
    """Return the settings of a run, to be read only. W&B's `run.settings` copies all of them, which takes 0.4 ms."""
    settings: wandb.Settings = getattr(run, "_settings", None) or run.settings
    return settings


def place_of_run(run: wandb.Run) -> tuple[str | None, str | None]:
    """Return project and entity of a run; each is None where W&B has named none, or an empty text."""
    settings = run_settings(run)
    return settings.project, settings.entity


def _not_opened_message(opening: Opening, client: wandb.Settings) -> str:
    server = api_url(opening.host) if opening.host else client.base_url
    project = opening.arguments.get("project")
    where = f" (project {project!r})" if project else ""
    return f"W&B did not open the run {opening.run_id!r}{where} at {without_userinfo(server)}"


def _hint_at_sweep() -> str:
    """Say why W&B's client uses an agent's id instead of ours."""
    if not os.environ.get("WANDB_SWEEP_ID"):
        return ""
    return (
        ", as it does for all runs of a process with WANDB_SWEEP_ID; use run_mode='auto', so that tasks join "
        "the trial's run"
    )


def _describe_reason(error: Exception) -> str:
    return str(error) if isinstance(error, NotOpenedError) else f"{type(error).__name__}: {one_line(error)}"
