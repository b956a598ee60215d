"""Where a run starts: at its beginning or end, after an earlier step, or as a fork of another run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from .._logging import log_once, one_line
from .._start import START, moment_in
from ._configuration import effective_mode
from ._waiting import NotOpenedError, free_run_id

if TYPE_CHECKING:
    import wandb

    from ._opening import Opening

Init = Callable[[Mapping[str, Any]], "wandb.Run"]
"""Opens a run with arguments of `wandb.init`, as `call_init` does."""

_LOG: Final = logging.getLogger("flyte_wandb")
_FORGET_SECONDS: Final = 2.0
"""How long W&B's service, which is on this machine, has to let go of a run."""


def open_at_start(opening: Opening, init: Init) -> wandb.Run:
    """Open a run where it is to start: rewound where that is asked for and possible, else as planned. Blocks.

    Args:
        opening: Which run, and how.
        init: Opens it.

    Raises:
        Exception: As `init`.
    """
    _forget_rows(opening, init)
    return _open_rewound(opening, init) or _open_planned(opening, init)


def _open_planned(opening: Opening, init: Init) -> wandb.Run:
    """Open the run; one that an earlier attempt was to fork, but has not opened, is forked now."""
    from wandb.errors import UsageError

    try:
        return init(opening.arguments)
    except UsageError as error:  # what W&B raises where resume="must" finds no run
        if opening.fork_from is None:
            raise
        forget_run_id(opening.run_id, error)
        return init({**_without_start(opening), "fork_from": opening.fork_from})


def _without_start(opening: Opening) -> dict[str, Any]:
    return {name: value for name, value in opening.arguments.items() if name not in START}


def _open_rewound(opening: Opening, init: Init) -> wandb.Run | None:
    """Open the run behind an earlier step. Return None where that is not asked for, or where W&B cannot do it."""
    if opening.rewind is None:
        return None
    point = moment_in(opening.run_id, opening.rewind)
    try:
        if opening.shared:
            raise ValueError("a run that several processes may write to has no steps; use joinable=False")
        return init({**_without_start(opening), "resume_from": point})
    except NotOpenedError:  # a server that was not reached has not refused to rewind
        raise
    except Exception as error:
        forget_run_id(opening.run_id, error)
        log_once(
            f"the run {opening.run_id!r} continues at its end, not after step {opening.rewind}: W&B did not rewind it: "
            f"{one_line(error)}"
        )
        return None


def forget_run_id(run_id: str, error: Exception) -> None:
    """Free the id of a run that was not opened: W&B's service keeps it registered, and refuses it to a retry.

    A run that is in use belongs to another task and stays unchanged.
    """
    from wandb.sdk.mailbox.mailbox_handle import ServerResponseError

    if isinstance(error, ServerResponseError) or (isinstance(error, NotOpenedError) and error.freed):
        return
    try:
        free_run_id(run_id, seconds=_FORGET_SECONDS)
    except Exception:
        _LOG.debug("the run id %s could not be freed", run_id, exc_info=True)


def _forget_rows(opening: Opening, init: Init) -> None:
    """Have the server forget the rows of an earlier attempt, as far as it can: W&B rewinds to a step, and to no less.

    The run is then opened without `resume`, so that it begins at step 0 again, where a new row replaces the
    old one (wandb#3424).
    """
    if not opening.starts_over or effective_mode(opening.arguments.get("mode")) != "online":
        return
    try:
        back = init({**opening.arguments, "resume_from": moment_in(opening.run_id, 0)})
        back.finish(exit_code=1)  # the outcome of the earlier attempt
    except NotOpenedError:
        raise
    except Exception as error:
        forget_run_id(opening.run_id, error)
        log_once(
            f"the run {opening.run_id!r} starts over, but rows of the earlier attempt stay until a new row has their "
            f"step: W&B did not rewind it: {one_line(error)}"
        )
