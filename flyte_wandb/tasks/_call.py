"""Around a call of a tracked function: plan, open the run, call the function, tell W&B the outcome."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import flyte

from flyte_wandb_hookspecs import ParentRun, Plan, Request, Role, Step, Topology

from .._action import Action, current_action
from .._errors import SettingError
from .._logging import count_noun, log_once
from ..plans._inherited import NO_TRIAL, agent_run_id, agent_trial, write_run
from ..plans._plan import plan, run_place
from ..plans._request import build_request_outside_flyte, build_task_request
from ..plans._spec import Spec
from ..plugins._manager import describe_authors
from ..plugins._versions import check_plugins, write_plugins
from ..results.downloads._after_task import download_after_task, download_after_task_async, find_run_to_download
from ..runs._agent_trial import AGENT_TRIALS
from ..runs._current import CURRENT_CALL, TrackedCall, current_call
from ..runs._registry import OPEN_RUNS
from ..runs._sigterm import SIGTERM_HANDLER, WatchedCall
from ..runs._termination import PreemptedError
from ..runs._thread_owners import in_bare_thread, is_owner_known, owning_call
from ..settings._context import write_settings
from ..wandb_client._agent_room import agents_allowed, own_variable
from ..wandb_client._configuration import named_mode
from ..wandb_client._dead_service import abandon_service
from ..wandb_client._run import is_stand_in, place_of_run
from ..wandb_client._waiting import CallOff
from ._flyte_task import is_task_function
from ._open_close import close_run_for, mark_run_preempted, open_run_for
from ._threads import end_fork, run_uninterrupted

if TYPE_CHECKING:
    from ..results.downloads._reference import Reference

_LOG = logging.getLogger("flyte_wandb")


def _is_inside_tracked_call() -> bool:
    """Whether a decorated function is called inside a tracked one. It then uses the run of that."""
    if current_call() is not None or not in_bare_thread():
        return current_call() is not None
    # A thread without context. W&B's agent runs its trials in one, and names the trial's run in the environment.
    if run_id := agent_run_id(os.environ):
        return run_id in OPEN_RUNS
    if not is_owner_known():
        return OPEN_RUNS.only(in_flyte=True) is not None
    owner = owning_call()
    return owner is not None and owner.action is not None


def call_sync(function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call `function` inside the right run."""
    if _is_inside_tracked_call():
        return function(*arguments, **named)
    planned = _plan_call(spec, function, arguments, named)
    with _handling_sigterm(planned) as watched:
        tracked = open_run_for(planned)
        _watch_run(watched, tracked)
        result = _call_in_run(tracked, partial(function, *arguments, **named))
    if reference := _find_download(tracked):
        download_after_task(reference)
    return result


def _call_in_run(tracked: TrackedCall, call: Callable[[], Any]) -> Any:
    error: BaseException | None = None
    try:
        # Ended from outside only inside of the context, so that an error never comes while that is entered or left.
        with _EnteredCall(tracked), tracked.interruption.around_sync():
            return call()
    except BaseException as failure:
        error = failure
        raise
    finally:
        tracked.interruption.disarm()  # an error may come before Python takes the context for entered, from 3.14 on
        if not tracked.in_fork:  # a forked child that returns from the function leaves the run to its parent
            close_run_for(tracked, error)


async def call_async(
    function: Callable[..., Any], spec: Spec, arguments: tuple[Any, ...], named: dict[str, Any]
) -> Any:
    """Call the coroutine function `function` inside the right run, and keep the event loop free meanwhile."""
    if _is_inside_tracked_call():
        return await function(*arguments, **named)
    _check_event_loop(function)
    planned = _plan_call(spec, function, arguments, named)
    with _handling_sigterm(planned) as watched:
        call_off = CallOff()

        def give_up() -> None:
            planned.interruption.give_up()
            call_off()

        tracked, cancelled = await run_uninterrupted(
            call_off.opens, partial(open_run_for, planned), waits=_may_wait(planned), give_up=give_up
        )
        _watch_run(watched, tracked)
        result = await _call_in_run_async(tracked, partial(function, *arguments, **named), cancelled)
    if reference := _find_download(tracked):
        await download_after_task_async(reference)
    return result


def _may_wait(tracked: TrackedCall) -> bool:
    """Whether opening and finishing the run may wait for a server, as far as setting and variable say.

    W&B's files, which could say otherwise, are not read for this: the event loop would wait for W&B's client to load.
    """
    return named_mode(tracked.request.settings.mode or own_variable("WANDB_MODE")) == "online"


def _check_event_loop(function: Callable[..., Any]) -> None:
    """Refuse to open a run that could not be awaited."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise SettingError(
            f"the tracked coroutine {_name_function(function)!r} is awaited outside of asyncio, such as under trio; "
            "run it with asyncio, as Flyte does, or decorate a plain function"
        ) from None


async def _call_in_run_async(
    tracked: TrackedCall, call: Callable[[], Awaitable[Any]], cancelled: asyncio.CancelledError | None
) -> Any:
    error: BaseException | None = cancelled
    try:
        if cancelled:
            raise cancelled
        with _EnteredCall(tracked), tracked.interruption.around_async():
            return await call()
    except BaseException as failure:
        error = failure
        raise
    finally:
        if tracked.in_fork:
            end_fork(error)
        # A cancellation while the run is being finished is raised after that, but hides no error of the function.
        _, late = await run_uninterrupted(close_run_for, tracked, error, waits=_may_wait(tracked))
        if late and error is None:
            raise late


def _name_function(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _warn_of_other_world(declared: Topology, started: Topology) -> None:
    """Warn on rank 0 if the started ranks are not those that the links in Flyte's UI were built for."""
    # What has a caveat may have another number of ranks on each node, which changes no link of the built-ins.
    same_ranks = bool(declared.caveat) or declared.world_size == started.world_size
    if started.rank or (same_ranks and declared.num_workers == started.num_workers):
        return
    log_once(
        f"the task declares {_describe_world(declared)} but runs on {_describe_world(started)}: its links in Flyte's "
        "UI follow the declaration, so some may lead to no run"
    )


def _describe_world(topology: Topology) -> str:
    return f"{count_noun(topology.world_size, 'rank')} ({count_noun(topology.num_workers, 'node')})"


def _plan_call(
    spec: Spec, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> TrackedCall:
    action, name = current_action(), _name_function(function)
    if action:
        check_plugins(action.context)
    request = build_task_request(spec, action) if action else build_request_outside_flyte(spec, name)
    if spec.declared:
        _warn_of_other_world(spec.declared, request.topology)
    if action and not spec.outermost and is_task_function(function):
        log_once(
            f"@wandb_init is below @env.task on {name!r}: the run is right, but links need it to be the outermost "
            "decorator"
        )
    inputs = _collect_inputs(function, arguments, named) if request.settings.config_inputs else {}
    request = _place_in_agents_trial(request, action)
    return TrackedCall(action=action, request=request, plan=_plan_request(request), inputs=inputs)


def _collect_inputs(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    from ..runs._inputs import collect_inputs  # most tasks do without

    return collect_inputs(function, arguments, named)


def _place_in_agents_trial(request: Request, action: Action | None) -> Request:
    """Have a function be a trial, or a child of one, where W&B's agent calls it or a program that runs it.

    In a task that makes room for agents only plain functions are: the agent's variables say nothing to other tasks.
    """
    if action and (not action.local or agents_allowed() or request.trial or request.parent):
        return request
    trial = agent_trial(os.environ)
    return AGENT_TRIALS.place(request, trial) if trial else request


def _plan_request(request: Request) -> Plan:
    try:
        planned = plan(request)
    except BaseException:
        AGENT_TRIALS.settle(request)
        raise
    for step in planned.steps if _LOG.isEnabledFor(logging.DEBUG) else ():
        _LOG.debug("action %s of run %s: %s -> %r by %s", request.action_name, request.run_name, *_step_facts(step))
    return planned


def _step_facts(step: Step) -> tuple[str, Any, str]:
    return step.hook, step.value, describe_authors(step)


def _handling_sigterm(planned: TrackedCall) -> AbstractContextManager[WatchedCall | None]:
    """Have SIGTERM end the call, from before its run is opened until after it was finished.

    A rank that opens no run is left as it is without this package.
    """
    if not planned.plan.role.opens:
        return nullcontext()
    action, grace = planned.action, planned.request.settings.sigterm_grace
    container = action is not None and not action.local
    watched = WatchedCall(interruption=planned.interruption, container=container, grace=grace)
    return SIGTERM_HANDLER.watching(watched)


def _watch_run(watched: WatchedCall | None, tracked: TrackedCall) -> None:
    """Have SIGTERM end the run, too, now that it is open."""
    if watched is None or tracked.lease is None:
        return
    watched.mark = partial(mark_run_preempted, tracked)
    watched.abandon = partial(abandon_service, tracked.lease.run)
    # In a copy of the task's context: keeping an offline run in Flyte's storage needs it.
    watched.close = partial(contextvars.copy_context().run, close_run_for, tracked, PreemptedError())


def _find_download(tracked: TrackedCall) -> Reference | None:
    lease = tracked.lease
    if lease is None or tracked.in_fork or is_stand_in(lease.run):
        return None
    return find_run_to_download(tracked.request, tracked.plan, lease.run)


class _EnteredCall(AbstractContextManager[None]):
    """Sets the current call for this code, and the parent run in Flyte's context for the tasks that it calls."""

    def __init__(self, tracked: TrackedCall) -> None:
        self._tracked = tracked
        context = _context_for_children(tracked)
        self._inside = flyte.custom_context(**context) if context else nullcontext()

    def __enter__(self) -> None:
        self._token = CURRENT_CALL.set(self._tracked)
        self._inside.__enter__()

    def __exit__(self, *error: Any) -> None:
        try:
            self._inside.__exit__(*error)
        finally:
            CURRENT_CALL.reset(self._token)


def _context_for_children(tracked: TrackedCall) -> dict[str, str]:
    if tracked.lease is None or tracked.action is None:
        return {}
    # A task that joined its parent's run passes that on, so a whole tree can share one run.
    joined = tracked.request.parent if not tracked.plan.role.owns else None
    context = write_run(joined or _as_parent_run(tracked)) | write_plugins()
    context |= NO_TRIAL if tracked.request.trial else {}
    return context | (write_settings({"mode": "offline"}) if tracked.fell_back else {})


def _as_parent_run(tracked: TrackedCall) -> ParentRun:
    assert tracked.lease is not None
    where, run = run_place(tracked.request, tracked.plan), tracked.lease.run
    project, entity = (None, None) if is_stand_in(run) else place_of_run(run)
    return ParentRun(
        run_id=tracked.lease.run_id,
        joinable=tracked.plan.role is Role.PRIMARY,
        group=tracked.plan.group,
        project=project or where.project,
        entity=entity or where.entity or None,
        host=where.host,
    )
