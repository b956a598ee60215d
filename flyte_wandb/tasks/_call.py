"""Around a call of a tracked function: plan, open the run, call the function, tell W&B the outcome."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import flyte

from flyte_wandb_hookspecs import ParentRun, Role, Step

from .. import wandb_client as _client
from .._action import current_action
from .._logging import say_once
from ..plans._inherited import NO_TRIAL, agents_run_id, written_run
from ..plans._plan import place, plan
from ..plans._request import request_of_task, request_outside_flyte
from ..plans._spec import Spec
from ..plugins._manager import authors
from ..plugins._versions import check_plugins, written_plugins
from ..results.downloads._after_task import bring_home, bring_home_async, run_to_download
from ..runs._current import CURRENT, Tracked, in_bare_thread, tracked_here
from ..runs._registry import OPEN_RUNS
from ..runs._termination import preemptible
from ..settings._context import written_settings
from ._open_close import closed, opened
from ._threads import end_fork, uninterrupted

if TYPE_CHECKING:
    from ..results.downloads._reference import Reference

_LOG = logging.getLogger("flyte_wandb")


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
    tracked = opened(_planned(spec, function))
    with _told_of_preemption(tracked):
        result = _result(tracked, partial(function, *arguments, **named))
    if reference := _to_download(tracked):
        bring_home(reference)
    return result


def _result(tracked: Tracked, call: Callable[[], Any]) -> Any:
    error: BaseException | None = None
    try:
        with tracked.interruption.around_sync(), _inside(tracked):
            return call()
    except BaseException as failure:
        error = failure
        raise
    finally:
        if not tracked.in_fork:
            closed(tracked, error)


async def call_async(
    function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Call the coroutine function `function` inside the right run, and keep the event loop free meanwhile."""
    if _has_run_already():
        return await function(*arguments, **named)
    tracked, cancelled = await uninterrupted(opened, _planned(spec, function))
    with _told_of_preemption(tracked):
        result = await _result_async(tracked, partial(function, *arguments, **named), cancelled)
    if reference := _to_download(tracked):
        await bring_home_async(reference)
    return result


async def _result_async(
    tracked: Tracked, call: Callable[[], Awaitable[Any]], cancelled: asyncio.CancelledError | None
) -> Any:
    error: BaseException | None = cancelled
    try:
        if cancelled:
            raise cancelled
        with tracked.interruption.around_async(), _inside(tracked):
            return await call()
    except BaseException as failure:
        error = failure
        raise
    finally:
        if tracked.in_fork:
            end_fork(error)
        _, late = await uninterrupted(closed, tracked, error)
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


def _told_of_preemption(tracked: Tracked) -> AbstractContextManager[None]:
    """Return the context in which SIGTERM ends the function and W&B is told so; a rank without a run is left alone.

    Of a trial W&B is not told: it would give it to another agent, while Flyte tries it again.
    """
    lease, trial = tracked.lease, tracked.request.trial
    if lease is None:
        return nullcontext()
    return preemptible(tracked.interruption, partial(_client.mark_preempting, lease.run) if trial is None else _nothing)


def _nothing() -> None: ...


def _to_download(tracked: Tracked) -> Reference | None:
    lease = tracked.lease
    return run_to_download(tracked.request, tracked.plan, lease.run) if lease and not tracked.in_fork else None


@contextmanager
def _inside(tracked: Tracked) -> Iterator[None]:
    """Make the run known to this code and, through Flyte's context, to the tasks that it calls."""
    token = CURRENT.set(tracked)
    try:
        with flyte.custom_context(**_for_children(tracked)):
            yield
    finally:
        CURRENT.reset(token)


def _for_children(tracked: Tracked) -> dict[str, str]:
    if tracked.lease is None or tracked.action is None:
        return {}
    joined = tracked.request.parent if not tracked.plan.role.owns else None
    context = written_run(joined or _as_parent(tracked)) | written_plugins()
    context |= NO_TRIAL if tracked.request.trial else {}
    return context | (written_settings({"mode": "offline"}) if tracked.fell_back else {})


def _as_parent(tracked: Tracked) -> ParentRun:
    assert tracked.lease is not None
    run, where = tracked.lease.run, place(tracked.request, tracked.plan)
    return ParentRun(
        run_id=tracked.lease.run_id,
        joinable=tracked.plan.role is Role.PRIMARY,
        group=tracked.plan.group,
        project=run.project or where.project,
        entity=run.entity or where.entity or None,
        host=where.host,
    )
