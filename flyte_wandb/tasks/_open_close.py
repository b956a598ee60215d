"""Opening the run of a tracked function, and releasing it with the function's outcome."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from flyte_wandb_hookspecs import Request, Role

from .._errors import OpenRunError
from .._logging import log_once
from .._start import has_run_before
from ..plans._budget import count_writers, describe_writers, find_turn_delay
from ..plans._plan import run_place
from ..plugins._loading import get_manager
from ..runs._agent_trial import AGENT_TRIALS
from ..runs._current import RunEnd, TrackedCall
from ..runs._flyte_identity import IDENTITY_KEY, build_identity
from ..runs._opening import build_monitor_opening, build_opening, opens_own_run, writer_label
from ..runs._registry import OPEN_RUNS, Lease
from ..runs._run_hooks import NOTHING_ADDED, Contribution, collect_contributions, notify_observers
from ..runs._sigterm import KEEP_SECONDS
from ..runs._termination import PREEMPTED, exit_code
from ..wandb_client._configuration import effective_mode
from ..wandb_client._opening import Mode, Opening
from ..wandb_client._owned_runs import hide_run
from ..wandb_client._run import close_run, is_stand_in, mark_preempting, note_failure, open_run

if TYPE_CHECKING:
    from ..wandb_client._delivery import Shortfall

_LOG: Final = logging.getLogger("flyte_wandb")


def open_run_for(planned: TrackedCall) -> TrackedCall:
    """Open or join the planned run. If W&B does not open it, continue according to `on_error`. Blocks.

    Returns:
        The call with its run; without a run if its rank opens none, or if it continues without one.

    Raises:
        OpenRunError: W&B did not open the run, and `on_error` is "raise".
        RunInUseError: Another action of this process has it.
    """
    if planned.plan.role is Role.MONITOR:
        return _start_monitor(planned)
    if not planned.plan.role.opens:
        return planned
    on_error, name = planned.request.settings.on_error, planned.request.action_name
    AGENT_TRIALS.wait_for_run(planned.request)
    try:
        _wait_for_turn(planned)
        return _acquire_run(planned)
    except OpenRunError as error:
        if on_error == "raise":
            raise
        if on_error == "offline":
            log_once(f"{error}; {name!r} continues with an offline run", logging.ERROR)
            return _acquire_offline_run(planned)
        return _go_on_without_run(planned, error)
    finally:
        AGENT_TRIALS.settle(planned.request)


def _wait_for_turn(planned: TrackedCall) -> None:
    """Wait until the ranks before this one have opened their runs, if W&B limits how many open at once."""
    request, began = planned.request, time.monotonic()
    delay = find_turn_delay(request)
    if not delay or effective_mode(request.settings.mode) != "online":
        return
    log_once(
        f"rank {request.topology.rank:,} opens its run in {delay:.0f} s: the ranks take turns, "
        f"{request.settings.run_creations_per_second:g} a second (run_creations_per_second)"
    )
    # To ask what the ranks before it do takes a while of its own, more for later ranks.
    planned.interruption.wait_to_start(max(0.0, began + delay - time.monotonic()))


def _start_monitor(planned: TrackedCall) -> TrackedCall:
    """Send the system metrics of this node to the run of its part. If that fails, continue without: no task fails.

    The run is not in `OPEN_RUNS`, so that neither the function nor W&B's globals see it.
    """
    request, mode = planned.request, effective_mode(planned.request.settings.mode)
    if _in_one_process(planned) or mode == "disabled":
        return planned
    _wait_for_turn(planned)
    try:
        opening = build_monitor_opening(planned.plan, request, mode=mode)
        run = open_run(opening)
        hide_run(run)
    except Exception as error:
        log_once(f"{error}; the run {planned.plan.run_id!r} lacks the system metrics of {writer_label(request)}")
        return planned
    _log_differences(planned, opening)
    return replace(planned, monitor=Lease(run=run, run_id=opening.run_id, opener=True))


def _acquire_offline_run(planned: TrackedCall) -> TrackedCall:
    """Open the run again, offline. If that fails, too (a full disk), the task continues without a run."""
    request = replace(planned.request, settings=replace(planned.request.settings, mode="offline", on_error="ignore"))
    offline = replace(planned, request=request, fell_back=True)
    try:
        return _acquire_run(offline)
    except OpenRunError as error:
        return _go_on_without_run(offline, error)


def _go_on_without_run(planned: TrackedCall, error: OpenRunError) -> TrackedCall:
    log_once(f"{error}; {planned.request.action_name!r} continues without a run", logging.ERROR)
    return planned


def _acquire_run(planned: TrackedCall) -> TrackedCall:
    request = planned.request
    mode = None if _in_one_process(planned) else effective_mode(request.settings.mode)
    opening = build_opening(
        planned.plan, request, mode=mode, added=_collect_additions(planned, mode), rewind=_rewind_step(request)
    )
    _log_differences(planned, opening)
    lease = OPEN_RUNS.acquire(
        opening,
        action=request.action_name,
        in_flyte=planned.action is not None,
        local=bool(planned.action and planned.action.local),
        trial=request.trial is not None,
        stop=planned.interruption.stop,
    )
    notify_observers(get_manager(), "run_started", request=request, plan=planned.plan, run=lease.run)
    return replace(planned, lease=lease)


def _in_one_process(planned: TrackedCall) -> bool:
    """Whether no other process could write to the run, as in local mode and for plain functions."""
    return planned.action is None or planned.action.local


def _rewind_step(request: Request) -> int | None:
    """Return the step after which a retry or restart continues its run, or None for the run's end."""
    step = request.settings.checkpoint_step if has_run_before(request) else None
    return step() if callable(step) else step


def _collect_additions(planned: TrackedCall, mode: Mode | None) -> Contribution:
    """Return what plugins add to a run of this action's own, and which action of Flyte it is."""
    if not opens_own_run(planned.plan, mode):
        return NOTHING_ADDED
    added = collect_contributions(get_manager(), request=planned.request, plan=planned.plan)
    if planned.inputs:
        added = added._replace(config={**added.config, **planned.inputs})
    if planned.action is None or not planned.request.settings.flyte_identity:
        return added
    if IDENTITY_KEY in added.config:  # a plugin's own answer to the same question
        return added
    return added._replace(identity={IDENTITY_KEY: build_identity(planned.action, planned.request)})


def close_run_for(tracked: TrackedCall, error: BaseException | None) -> None:
    """Release the run with the outcome of the function, and write Flyte's report. Blocks, and never raises.

    Does so once: where a function does not end after SIGTERM, its run is closed from another thread.
    """
    tracked.interruption.close_once(lambda: _close_run(tracked, error))


def mark_run_preempted(tracked: TrackedCall) -> None:
    """Mark the run preempted in W&B, once. Blocks.

    Not for a trial: W&B would give it to another agent, while Flyte tries it again.
    """
    lease = tracked.lease
    if lease and tracked.request.trial is None:
        tracked.interruption.mark_once(lambda: mark_preempting(lease.run))


def _close_run(tracked: TrackedCall, error: BaseException | None) -> None:
    if tracked.monitor:
        _stop_monitor(tracked, tracked.monitor)
    ended = _finish_run(tracked, tracked.lease, error) if tracked.lease else RunEnd()
    if tracked.request.settings.report:
        # Here, for only a task with `report=True` pays for loading it.
        from ..results.report._tab import add_tab

        add_tab(tracked, error, ended)


def _stop_monitor(tracked: TrackedCall, monitor: Lease) -> None:
    """End the system metrics of this node. The run gets its owner's outcome, not that of this function."""
    close_run(monitor.run, 0)
    if monitor.run.offline:
        _keep_what_wandb_lacks(tracked, monitor, 0)


def _finish_run(tracked: TrackedCall, lease: Lease, error: BaseException | None) -> RunEnd:
    # Also where the function turned SIGTERM into an error of its own; a result that it returned is a success.
    code = PREEMPTED if error and tracked.interruption.preempted else exit_code(error)
    if tracked.interruption.preempted:
        mark_run_preempted(tracked)
    # W&B has one state for a run, which is its owner's, so another writer's failure goes into the summary.
    if code and not tracked.plan.role.owns:
        note_failure(lease.run, writer_label(tracked.request), error)
    run_code = OPEN_RUNS.release(lease, code)
    place = None if run_code is None else _keep_what_wandb_lacks(tracked, lease, run_code)
    about = {"request": tracked.request, "plan": tracked.plan, "run": lease.run}
    notify_observers(get_manager(), "run_finished", **about, error=error)
    return RunEnd(exit_code=run_code, kept=place)


def _keep_what_wandb_lacks(tracked: TrackedCall, lease: Lease, code: int) -> str | None:
    """Keep a run that W&B has not, or not all of, where it outlives the pod, and return where. Never raises."""
    action, request, run = tracked.action, tracked.request, lease.run
    if is_stand_in(run):
        return None
    shortfall = _find_shortfall(lease)
    # Local mode and plain functions leave it where W&B's client does: on a disk that stays.
    on_own_disk = action is None or action.local
    if not (shortfall or (not on_own_disk and run.offline)) or run.disabled:
        return None
    from ..results.offline._keep import keep_offline_run, mark_shortfall

    host = run_place(request, tracked.plan).host
    if action is None or action.local:
        if shortfall:
            mark_shortfall(run, shortfall, exit_code=code, host=host)
        return None
    rank = request.topology.rank if request.topology.distributed else None
    keep = partial(keep_offline_run, action, run, rank=rank, exit_code=code, host=host, shortfall=shortfall)
    return _call_within(KEEP_SECONDS, keep) if shortfall and tracked.interruption.preempted else keep()


def _find_shortfall(lease: Lease) -> Shortfall | None:
    try:
        from ..wandb_client._delivery import find_shortfall  # after the function, to which it would be in the way

        return find_shortfall(lease.run)
    except Exception:
        _LOG.exception("cannot tell whether W&B has all rows of the run %s", lease.run_id)
        return None


def _call_within(seconds: float, call: Callable[[], str | None]) -> str | None:
    """Return what a call returns, or None if it takes longer. It then keeps running as long as the process does."""
    results: list[str | None] = []
    context = copy_context()  # with Flyte's, which knows the storage
    thread = threading.Thread(target=lambda: results.append(context.run(call)), name="flyte-wandb-keeping", daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


def _log_differences(planned: TrackedCall, opening: Opening) -> None:
    parent, plan = planned.request.parent, planned.plan
    writers = count_writers(planned.request, plan) if opening.defaults and plan.role.owns else 1
    if note := describe_writers(planned.request, writers):
        log_once(note)
    if opening.alone:
        log_once(
            f"W&B is offline, and its shared mode needs a server: {planned.request.action_name!r} writes its own run "
            f"{opening.run_id!r}, in the group {opening.arguments.get('group')!r} with the other writers"
        )
    if parent and not parent.joinable and plan.role.owns and plan.group == (parent.group or parent.run_id):
        log_once(
            f"the parent's run {parent.run_id!r} was opened with joinable=False, so {planned.request.action_name!r} "
            f"opens its own run {plan.run_id!r} in the group {plan.group!r}"
        )
