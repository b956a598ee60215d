"""Runs that end with their task: what user code and libraries do to end them is put off until then."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._logging import log_once
from ._agent_room import keep_client, own_client

if TYPE_CHECKING:
    import wandb

_LOG: Final = logging.getLogger("flyte_wandb")

_OWNED: Final[dict[int, wandb.Run]] = {}
"""The open runs of tasks, by `id()`: W&B's runs have no own hash, and may compare equal."""

_HIDDEN: Final[set[int]] = set()
"""Those of them that user code has finished, so that W&B's client shows them as ended."""


def own_run(run: wandb.Run) -> None:
    """Leave the end of a run to its task: until `disown_run`, nobody else's `finish` or `teardown` ends it.

    Libraries finish whatever run is there (Accelerate's `end_training`, a search of transformers), and go by what W&B's
    globals say afterwards. So a finish does to these what it always does, and nothing to the run.
    """
    _OWNED[id(run)] = run
    process = os.getpid()
    run_object: Any = run  # `wandb.finish`, `with run:` and `wandb.init(reinit=True)` all end in one of these two
    run_object.finish = run_object._finish = partial(_put_off_finish, run, process)
    client = own_client()
    if "_teardown" not in vars(client):
        client._teardown = partial(_put_off_teardown, client, process)


def disown_run(run: wandb.Run) -> None:
    """Have `finish` end the run again."""
    _OWNED.pop(id(run), None)
    _HIDDEN.discard(id(run))
    for name in ("finish", "_finish"):
        vars(run).pop(name, None)


def hide_run(run: wandb.Run) -> None:
    """Have W&B's client hand a run to nobody: what finishing it does to W&B's globals, and nothing to the run."""
    import wandb

    _HIDDEN.add(id(run))
    own_client().remove_active_run(run)
    if wandb.run is run:
        wandb.run = None


def show_run(run: wandb.Run) -> None:
    """Have `wandb.init()` return a run, even if user code has finished it before."""
    if id(run) in _HIDDEN:
        _HIDDEN.discard(id(run))
        own_client().add_active_run(run)


def _put_off_finish(run: wandb.Run, process: int, exit_code: int | None = None, **_: Any) -> None:
    """Do to W&B's globals what finishing `run` does, so that the next `wandb.init` opens a run of its caller's.

    `wandb.log` and its like still write to `run`: W&B's own would fail whoever calls them.
    """
    if process != os.getpid():  # the run is that of a forked child's parent
        return
    hide_run(run)
    _LOG.debug("%s finished the run %s, which ends with its task", _find_caller(), run.id)
    if exit_code:
        log_once(
            f"{_find_caller()} finished the run {run.id!r} with exit_code={exit_code}; the run ends with its task, and "
            "gets the task's outcome: to fail the run, raise an error in the task"
        )


def _put_off_teardown(client: Any, process: int, exit_code: int | None = None) -> None:
    """End W&B's client, or only the runs of others while a task has one: its service ends every run behind it."""
    if process != os.getpid():
        return
    if not _OWNED:
        type(client)._teardown(client, exit_code=exit_code)
        return
    keep_client(client)
    client.finish_all_active_runs()
    log_once(
        f"{_find_caller()} called wandb.teardown() while runs of tasks are open in this process; they stay open, and "
        "end with their tasks"
    )


def _find_caller() -> str:
    """Return file and line of the code outside of wandb and of this package that has called into them."""
    import wandb

    ours = (os.path.dirname(wandb.__file__) + os.sep, os.path.dirname(__file__) + os.sep)
    frame = inspect.currentframe()
    assert frame is not None  # as in every CPython
    while frame.f_back and frame.f_code.co_filename.startswith((*ours, contextlib.__file__)):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _forget_parents_runs() -> None:
    """In a forked child: own no runs, so that it ends what it opens. The runs of its parent stay open."""
    _OWNED.clear()
    _HIDDEN.clear()


os.register_at_fork(after_in_child=_forget_parents_runs)
