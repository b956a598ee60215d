"""Around a call of a tracked function: plan, open the run, call the function, tell W&B the outcome."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import flyte

from flyte_wandb_hookspecs import ParentRun, Plan, Request, Role, Step

from . import _client
from ._action import Action, current_action
from ._contributions import NOTHING_ADDED, Contribution, contributed, observed
from ._identity import IDENTITY_KEY, identity
from ._loader import installed
from ._manager import authors
from ._notices import say_once
from ._opening import Mode, Opening, has_run_of_its_own, opening, writer_label
from ._parent import written_run
from ._plan import plan
from ._provenance import check_plugins, written_plugins
from ._requests import request_of_task, request_outside_flyte
from ._runs import OPEN_RUNS, Lease
from ._spec import Spec
from ._threads import uninterrupted
from ._trial import NO_TRIAL, agents_run_id


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What is known inside a tracked function: whose it is, what was planned, and the run it holds.

    Attributes:
        action: The Flyte action, or None outside of Flyte.
        request: The question that was planned.
        plan: The answer.
        lease: The run it holds, or None for a rank that skips.
    """

    action: Action | None
    request: Request
    plan: Plan
    lease: Lease | None = None


_LOG = logging.getLogger("flyte_wandb")
_current: ContextVar[Tracked | None] = ContextVar("flyte_wandb_tracked", default=None)


def tracked_here() -> Tracked | None:
    """Return what surrounds this code in the same action, its traces and the threads that copy its context."""
    tracked = _current.get()
    return tracked if tracked is not None and tracked.action == current_action() else None


def in_bare_thread() -> bool:
    """Whether this is a thread that copied no context, so that it cannot know to which task it belongs."""
    if threading.current_thread() is threading.main_thread():
        return False
    return _current.get() is None and current_action() is None


def _has_run_already() -> bool:
    """Whether a decorated function is called inside a tracked one, whose run it then uses."""
    if tracked_here() is not None or not in_bare_thread():
        return tracked_here() is not None
    if run_id := agents_run_id(os.environ):
        return run_id in OPEN_RUNS
    return OPEN_RUNS.only(in_flyte=True) is not None


def call_sync(function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call `function` inside the right run."""
    if _has_run_already():
        return function(*arguments, **named)
    planned = _planned(spec, function)
    tracked = _opened(planned)
    error: BaseException | None = None
    try:
        with _inside(tracked):
            return function(*arguments, **named)
    except BaseException as failure:
        error = failure
        raise
    finally:
        _closed(tracked, error)


async def call_async(
    function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Call the coroutine function `function` inside the right run, and keep the event loop free meanwhile."""
    if _has_run_already():
        return await function(*arguments, **named)
    planned = _planned(spec, function)
    tracked, cancelled = await uninterrupted(_opened, planned)
    error: BaseException | None = cancelled
    try:
        if cancelled:
            raise cancelled
        with _inside(tracked):
            return await function(*arguments, **named)
    except BaseException as failure:
        error = failure
        raise
    finally:
        _, late = await uninterrupted(_closed, tracked, error)
        if late and error is None:
            raise late


def _planned(spec: Spec, function: Callable[..., Any]) -> Tracked:
    action, name = current_action(), getattr(function, "__name__", type(function).__name__)
    if action:
        check_plugins(action.context)
    request = request_of_task(spec, action) if action else request_outside_flyte(spec, name)
    if action and not spec.outermost:
        say_once(
            f"@wandb_init stands below @env.task on {name!r}: the run is right, but links need it to be the outermost "
            "decorator"
        )
    planned = plan(request)
    for step in planned.steps if _LOG.isEnabledFor(logging.DEBUG) else ():
        _LOG.debug("action %s of run %s: %s -> %r by %s", request.action_name, request.run_name, *_told(step))
    return Tracked(action=action, request=request, plan=planned)


def _told(step: Step) -> tuple[str, Any, str]:
    return step.hook, step.value, authors(step)


def _opened(planned: Tracked) -> Tracked:
    """Hold the planned run. Blocks."""
    if not planned.plan.role.opens:
        return planned
    request = planned.request
    in_one_process = planned.action is None or planned.action.local
    mode = None if in_one_process else _client.effective_mode(request.settings.mode)
    wanted = opening(planned.plan, request, mode=mode, added=_added(planned, mode))
    _say_what_differs(planned, wanted)
    lease = OPEN_RUNS.acquire(
        wanted,
        action=request.action_name,
        in_flyte=planned.action is not None,
        trial=request.trial is not None,
    )
    observed(installed(), "run_started", request=request, plan=planned.plan, run=lease.run)
    return Tracked(action=planned.action, request=request, plan=planned.plan, lease=lease)


def _added(planned: Tracked, mode: Mode | None) -> Contribution:
    """Return what plugins add to a run of this action's own, and which action of Flyte it is."""
    if not has_run_of_its_own(planned.plan, mode):
        return NOTHING_ADDED
    added = contributed(installed(), request=planned.request, plan=planned.plan)
    if planned.action is None or not planned.request.settings.flyte_identity:
        return added
    own = {IDENTITY_KEY: identity(planned.action, planned.request.task_name)}
    return Contribution(tags=added.tags, config={**own, **added.config}, once=added.once)


def _closed(tracked: Tracked, error: BaseException | None) -> None:
    """Let go of the run with the outcome of the function. Blocks, and never raises."""
    if tracked.lease is None:
        return
    code = exit_code(error)
    if code and not tracked.plan.role.owns:
        _client.note_failure(tracked.lease.run, writer_label(tracked.request), error)
    OPEN_RUNS.release(tracked.lease, code)
    about = {"request": tracked.request, "plan": tracked.plan, "run": tracked.lease.run}
    observed(installed(), "run_finished", **about, error=error)


@contextmanager
def _inside(tracked: Tracked) -> Iterator[None]:
    """Make the run known to this code and, through Flyte's context, to the tasks that it calls."""
    token = _current.set(tracked)
    try:
        with flyte.custom_context(**_for_children(tracked)):
            yield
    finally:
        _current.reset(token)


def _for_children(tracked: Tracked) -> dict[str, str]:
    if tracked.lease is None or tracked.action is None:
        return {}
    if not tracked.plan.role.owns and tracked.request.parent:
        return written_run(tracked.request.parent) | written_plugins()
    return written_run(_as_parent(tracked)) | written_plugins() | (NO_TRIAL if tracked.request.trial else {})


def _as_parent(tracked: Tracked) -> ParentRun:
    assert tracked.lease is not None
    run, settings = tracked.lease.run, tracked.request.settings
    return ParentRun(
        run_id=tracked.lease.run_id,
        joinable=tracked.plan.role is Role.PRIMARY,
        group=tracked.plan.group,
        project=run.project or settings.project,
        entity=run.entity or settings.entity or None,
        host=settings.host,
    )


def _say_what_differs(planned: Tracked, wanted: Opening) -> None:
    parent, chosen = planned.request.parent, planned.plan
    if wanted.alone:
        say_once(
            f"W&B is offline, where its shared mode does not exist: {planned.request.action_name!r} keeps the run "
            f"{wanted.run_id!r} of its own, in the group {wanted.arguments.get('group')!r} with the other writers"
        )
    if parent and not parent.joinable and chosen.role.owns and chosen.group == (parent.group or parent.run_id):
        say_once(
            f"the parent's run {parent.run_id!r} was opened with joinable=False, so {planned.request.action_name!r} "
            f"opens {chosen.run_id!r} of its own in the group {chosen.group!r}"
        )


def exit_code(error: BaseException | None) -> int:
    """Return what W&B is told of an outcome: 0 for a result, the code of a SystemExit, 1 for any other exception.

    >>> exit_code(None), exit_code(ValueError()), exit_code(SystemExit(3)), exit_code(SystemExit("bad"))
    (0, 1, 3, 1)
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0 if error is None else 1
