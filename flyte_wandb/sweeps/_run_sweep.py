"""`run_sweep`: the trials of a sweep as actions of Flyte."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, overload

import flyte

from flyte_wandb_hookspecs import Trial, frozen_copy

from .._action import current_action, current_attempt
from .._errors import RunStoppedError, SettingError, SweepError
from .._logging import one_line, quoted
from .._outcomes import Goal, TrialOutcome, TrialOutcomes, TrialState
from ..plans._inherited import write_sweep, write_trial
from ..plans._spec import Spec
from ..tasks import _flyte_task as _templates
from ..tasks._threads import run_uninterrupted
from ..tasks._wrapper import is_tracked
from ._call import current_sweep
from ._controller import Controller, check_end, connect_controller, is_deleted
from ._progress import Progress
from ._trial_inputs import InputsFrom, TrialInputs

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
_LOG: Final = logging.getLogger("flyte_wandb")

MOST_AGENTS: Final = 20
"""Agents that W&B allows one sweep at a time."""

LEAST_HEARTBEAT: Final = 0.01
"""Seconds. 20 agents then send at most 2,000 requests a second, which only your own server can take."""

MOST_MISSED: Final = 60
"""Heartbeats in a row that an agent without a trial may miss before it gives up."""


class TaskReturning(Protocol[R_co]):
    """A task of Flyte by what a call of it returns: of an async one it is the coroutine.

    Flyte's own type fits no other type of coroutine than the very one that a checker has in mind for ``async def``.
    """

    def __call__(self, *inputs: Any, **named: Any) -> R_co: ...

    async def aio(self, *inputs: Any, **named: Any) -> Any: ...  # a function has none


@overload
async def run_sweep(
    task: TaskReturning[Coroutine[Any, Any, R]],
    *,
    count: int | None = None,
    max_parallel: int = 4,
    inputs: Mapping[str, Any] | None = None,
    inputs_from: InputsFrom | None = None,
    sweep: str | None = None,
    on_trial: Callable[[TrialOutcome[R]], Awaitable[None] | None] | None = None,
    stop_when: Callable[[TrialOutcomes[R]], Awaitable[bool] | bool] | None = None,
    heartbeat: float = 5.0,
    stop_after_failures: int | None = 5,
) -> TrialOutcomes[R]: ...


@overload
async def run_sweep(
    task: TaskReturning[R],
    *,
    count: int | None = None,
    max_parallel: int = 4,
    inputs: Mapping[str, Any] | None = None,
    inputs_from: InputsFrom | None = None,
    sweep: str | None = None,
    on_trial: Callable[[TrialOutcome[R]], Awaitable[None] | None] | None = None,
    stop_when: Callable[[TrialOutcomes[R]], Awaitable[bool] | bool] | None = None,
    heartbeat: float = 5.0,
    stop_after_failures: int | None = 5,
) -> TrialOutcomes[R]: ...


async def run_sweep(
    task: Any,
    *,
    count: int | None = None,
    max_parallel: int = 4,
    inputs: Mapping[str, Any] | None = None,
    inputs_from: InputsFrom | None = None,
    sweep: str | None = None,
    on_trial: Callable[[TrialOutcome[Any]], Awaitable[None] | None] | None = None,
    stop_when: Callable[[TrialOutcomes[Any]], Awaitable[bool] | bool] | None = None,
    heartbeat: float = 5.0,
    stop_after_failures: int | None = 5,
) -> TrialOutcomes[Any]:
    """Run the trials of a sweep as Flyte actions, each with its own container, nodes and retries.

    W&B's controller chooses the parameters. Each trial is one action of `task`, gets them as inputs of the same names,
    and writes to the trial's run. A failed trial does not end the sweep; Flyte retries it. A trial that is stopped by
    W&B's controller or in its UI is cancelled. Call it in an async task: one decorated with `wandb_sweep`, or any task
    under a `wandb_sweep_config`, for which it creates the sweep.

    Args:
        task: A task decorated with `wandb_init`. A task on several nodes is one trial.
        count: Maximum number of trials, 1 or more. None leaves the end to W&B (a grid, ``run_cap``) or to `stop_when`.
        max_parallel: Concurrent trials, from 1 to 20.
        inputs: Inputs that all trials share.
        inputs_from: Parameters for inputs of other names, such as ``{"lr": "optimizer.lr"}``; a point leads into nested
            parameters. Or a function that takes a trial's parameters and returns all inputs that are not in `inputs`.
        sweep: An existing sweep, of any creator: ``ENTITY/PROJECT/ID``, its id, or the address of its page.
        on_trial: Called with each trial when it ends, in the event loop; may be async. An exception that it raises ends
            the sweep.
        stop_when: Called with all ended trials whenever one ends; may be async. If it returns true, no more trials
            start, and `run_sweep` waits for the running ones.
        heartbeat: Seconds between two requests to W&B about each trial, 0.01 or more.
        stop_after_failures: If this many first trials all fail with the same error, the search ends with a
            `SweepError` that quotes it. None turns this off.

    Returns:
        The trials in the order in which W&B issued them; ``best()`` is the best one by the sweep's metric. Trials of
        earlier attempts of the calling task count, also for `count` and `stop_when`; they have no `result`.

    Raises:
        SettingError: An argument cannot be used.
        SweepError: There is no sweep and none can be created, the task cannot take its parameters, or W&B no longer
            answers. The trials that have ended are in its `trials`.

    Example::

        @env.task
        async def search() -> float:
            trials = await run_sweep(train, count=50, max_parallel=8)
            return trials.best().summary["loss"]
    """
    _check_task(task)
    _check_numbers(count, max_parallel, heartbeat, stop_after_failures)
    _check_function("on_trial", on_trial, "a TrialOutcome")
    _check_function("stop_when", stop_when, "TrialOutcomes")
    trial_inputs = TrialInputs(task=task, fixed=inputs or {}, source=inputs_from)
    controller, search = await _run_off_loop(_open_controller, trial_inputs, sweep)
    if count is None and stop_when is None:
        check_end(controller.sweep.sweep_id, search)
    earlier = await _run_off_loop(_read_earlier_trials, controller)
    ref = controller.sweep
    metric, goal = _read_metric(search)
    shown = Progress(ref.sweep_id, count, metric=metric, goal=goal, earlier=earlier)
    with flyte.custom_context(**write_sweep(ref)), shown as progress:
        work = _TrialRunner(
            task=task,
            inputs=trial_inputs,
            left=None if count is None else max(count - len(earlier), 0),
            heartbeat=heartbeat,
            controller=controller,
            search=search,
            group=_action_group(ref.sweep_id),
            earlier=earlier,
            stop_when=stop_when,
            stop_after_failures=stop_after_failures,
            listeners=[progress.add_outcome, *([on_trial] if on_trial else [])],
        )
        return await work.run_agents(max_parallel)


def _check_task(task: Any) -> None:
    if not _templates.is_task(task):
        what = getattr(task, "__qualname__", None) or quoted(task)
        raise SettingError(f"run_sweep runs a Flyte task that is decorated with @wandb_init, not {what}")
    if not is_tracked(_templates.task_function(task, "run_sweep")):
        raise SettingError(
            f"run_sweep runs a task that is decorated with @wandb_init, and {task.name!r} is not, so its trials would "
            "write to no run; put @wandb_init above its @env.task"
        )


def _check_numbers(count: object, max_parallel: object, heartbeat: object, failures: object) -> None:
    if count is not None and (type(count) is not int or count < 1):
        raise SettingError(f"run_sweep(count={quoted(count)}): expected a number of trials, 1 or more")
    if type(max_parallel) is not int or not 1 <= max_parallel <= MOST_AGENTS:
        raise SettingError(
            f"run_sweep(max_parallel={quoted(max_parallel)}): W&B allows 1 to {MOST_AGENTS} agents of one sweep at a "
            "time"
        )
    if type(heartbeat) not in (int, float) or not LEAST_HEARTBEAT <= heartbeat < math.inf:  # type: ignore[operator]
        raise SettingError(
            f"run_sweep(heartbeat={quoted(heartbeat)}): expected seconds, {LEAST_HEARTBEAT} or more; W&B's own agent "
            "sends one every 5 seconds"
        )
    if failures is not None and (type(failures) is not int or failures < 1):
        raise SettingError(
            f"run_sweep(stop_after_failures={quoted(failures)}): expected a number of trials, 1 or more, or None"
        )


def _check_function(name: str, function: object, argument: str) -> None:
    if function is not None and not callable(function):
        raise SettingError(f"run_sweep({name}={quoted(function)}): expected a function that takes {argument}")


def _refuse_offline_trials(task: Any) -> None:
    """Refuse a task with an offline or disabled mode in its decorator: the runs of its trials would stay empty.

    A mode in the context or the environment applies to the sweep itself, which is a separate error.
    """
    spec: Spec = _templates.task_function(task, "run_sweep").__wandb_spec__  # type: ignore[attr-defined]
    mode = spec.settings.get("mode", "online")
    if mode != "online":
        raise SweepError(
            f"the task {task.name!r} has mode={mode!r}, so W&B would see nothing of its trials; remove mode= from its "
            "@wandb_init"
        )


def _open_controller(inputs: TrialInputs, sweep: str | None) -> tuple[Controller, Mapping[str, Any]]:
    """Return the controller of this task's sweep, checked against the trial's task, and its configuration. Blocks."""
    _refuse_offline_trials(inputs.task)
    controller = connect_controller(current_sweep(Spec(task_name="run_sweep"), sweep))
    config = controller.read_config()
    inputs.check_search(config.get("parameters") or {})
    return controller, config


def _read_metric(search: Mapping[str, Any]) -> tuple[str | None, Goal]:
    """Return the metric that a sweep is after, or None, and which of its values is the best."""
    metric = search.get("metric") or {}
    return metric.get("name"), metric.get("goal") or "minimize"


def _read_earlier_trials(controller: Controller) -> list[TrialOutcome]:
    """Return the trials that ended in earlier attempts of the calling task. Blocks."""
    action = current_action()
    return controller.read_trials_of(action.run_name) if action and current_attempt() > 1 else []


def _action_group(sweep_id: str) -> str:
    """Name the actions of the trials in Flyte's UI.

    A group is part of an action's name, by which another attempt of the parent finds what is done already: a trial of
    the same parameters, which is another one for W&B.
    """
    attempt = current_attempt()
    return f"sweep {sweep_id}" + (f", attempt {attempt}" if attempt > 1 else "")


@dataclass(kw_only=True)
class _TrialRunner:
    """The trials of one `run_sweep`. Lives in one event loop."""

    task: Any
    inputs: TrialInputs
    left: int | None
    heartbeat: float
    controller: Controller
    search: Mapping[str, Any]
    group: str
    stop_after_failures: int | None
    listeners: list[Callable[[TrialOutcome], Awaitable[None] | None]]
    stop_when: Callable[[TrialOutcomes], Awaitable[bool] | bool] | None
    earlier: list[TrialOutcome]
    """Trials of earlier attempts."""
    started: int = 0
    outcomes: list[TrialOutcome] = field(default_factory=list)
    enough: bool = False
    """Whether `stop_when` wants no more trials."""
    fault: SweepError | None = None
    """Why no more trials start. It is raised when the running ones have ended."""

    async def run_agents(self, agents: int) -> TrialOutcomes:
        if self.earlier:
            await self._ask_whether_enough()
        wanted = 0 if self.enough else agents if self.left is None else min(agents, self.left)
        slots = [asyncio.create_task(self._run_agent(number)) for number in range(wanted)]
        try:
            await asyncio.gather(*slots)
            if self.fault:
                raise self.fault
        except SweepError as error:
            error.trials = self._ordered_outcomes()
            raise
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)
        return self._ordered_outcomes()

    def _ordered_outcomes(self) -> TrialOutcomes:
        ordered = sorted(self.outcomes, key=lambda outcome: outcome.number)
        return TrialOutcomes([*self.earlier, *ordered], *_read_metric(self.search))

    async def _run_agent(self, number: int) -> None:
        """Be one agent: do one trial after the other."""
        agent = await _run_off_loop(self.controller.register_agent, f"flyte-{number}")
        while self._may_start():
            trial = await self._next_trial(agent)
            if trial is None:
                return
            self.started += 1
            await self._run_trial(agent, trial, len(self.earlier) + self.started - 1)

    def _may_start(self) -> bool:
        """Count a trial before it is asked for, so that agents do not ask for more than are wanted."""
        if not self._is_asking or self.left is None:
            return self._is_asking
        self.left -= 1
        return self.left >= 0

    @property
    def _is_asking(self) -> bool:
        return self.fault is None and not self.enough

    async def _next_trial(self, agent: str) -> Trial | None:
        """Wait for a trial; None where the search has ended, or W&B does not answer any more."""
        missed = 0
        while self._is_asking:
            commands: list[dict[str, Any]] = []
            try:
                commands = await _run_off_loop(self.controller.heartbeat, agent)
                missed = 0
            except Exception as error:
                missed += 1
                self._handle_missed_heartbeat(missed, error)
            for command in commands[:1]:
                if command["type"] in ("run", "resume"):
                    return self._trial_of_command(command)
                if command["type"] == "exit":
                    return None
            await asyncio.sleep(self.heartbeat)
        return None

    def _handle_missed_heartbeat(self, times: int, error: Exception) -> None:
        sweep_id = self.controller.sweep.sweep_id
        _LOG.warning("W&B did not answer with the next trial of the sweep %s: %s", sweep_id, error)
        if is_deleted(error):
            self._stop_asking(f"the sweep {sweep_id!r} no longer exists; it was probably deleted", error)
        elif times >= MOST_MISSED:
            self._stop_asking(
                f"W&B does not answer about the sweep {sweep_id!r}: {one_line(error)}; its trials are saved, and you "
                "can continue it when W&B answers again",
                error,
            )

    def _stop_asking(self, message: str, cause: BaseException | None) -> None:
        if self.fault is None:
            self.fault = SweepError(message)
            self.fault.__cause__ = cause

    def _trial_of_command(self, command: Mapping[str, Any]) -> Trial:
        values = {name: entry["value"] for name, entry in (command.get("args") or {}).items()}
        place = self.controller.place
        return Trial(
            run_id=command["run_id"],
            sweep_id=self.controller.sweep.sweep_id,
            parameters=frozen_copy(values),
            project=place.project,
            entity=place.entity,
            host=place.host,
        )

    async def _run_trial(self, agent: str, trial: Trial, number: int) -> None:
        """Run one trial as an action, and tell W&B meanwhile that it runs."""
        action = asyncio.create_task(self._call_task(trial))
        stopped = False
        try:
            while not (await asyncio.wait({action}, timeout=self.heartbeat))[0]:
                stopped = stopped or await self._is_stopped(agent, trial)
                if stopped:
                    action.cancel()
        finally:
            action.cancel()
            await _wait_for_end(action)
        await self._record_outcome(number, trial, action, stopped=stopped)

    async def _call_task(self, trial: Trial) -> Any:
        inputs = self.inputs.build(trial.parameters)
        with flyte.custom_context(**write_trial(trial)), flyte.group(self.group):
            return await self.task.aio(**inputs)

    async def _is_stopped(self, agent: str, trial: Trial) -> bool:
        """Whether W&B's controller or UI stops the trial. It keeps running while W&B does not answer."""
        try:
            commands = await _run_off_loop(self.controller.heartbeat, agent, trial.run_id)
        except Exception as error:
            _LOG.warning("the heartbeat of the trial %s failed: %s", trial.run_id, error)
            return False
        return any(command["type"] in ("stop", "exit") for command in commands[:1])

    async def _record_outcome(self, number: int, trial: Trial, action: asyncio.Task[Any], *, stopped: bool) -> None:
        error = asyncio.CancelledError() if action.cancelled() else action.exception()
        state: TrialState = "finished" if error is None else "stopped" if stopped or _is_stop_error(error) else "failed"
        if state == "failed":
            await _run_off_loop(self.controller.fail_pending_run, trial.run_id)
        outcome = TrialOutcome(
            number=number,
            run_id=trial.run_id,
            parameters=trial.parameters,
            state=state,
            result=None if error else action.result(),
            error=error,
            summary=await _run_off_loop(self.controller.read_summary, trial.run_id),
            url=self.controller.run_url(trial.run_id),
        )
        self.outcomes.append(outcome)
        self._stop_after_equal_failures()
        for listener in self.listeners:
            answer = listener(outcome)
            if inspect.isawaitable(answer):
                await answer
        await self._ask_whether_enough()

    async def _ask_whether_enough(self) -> None:
        if self.stop_when is None or self.enough:
            return
        answer = self.stop_when(self._ordered_outcomes())
        self.enough = bool(await answer if inspect.isawaitable(answer) else answer) or self.enough

    def _stop_after_equal_failures(self) -> None:
        """End a search in which nothing has worked, and nothing changes, rather than pay for the rest of it."""
        if len(self.outcomes) != self.stop_after_failures:
            return
        reasons = {f"{type(outcome.error).__name__}: {outcome.error}" for outcome in self.outcomes}
        if len(reasons) == 1 and all(outcome.state == "failed" for outcome in self.outcomes):
            self._stop_asking(
                f"the first {len(self.outcomes)} trials of the sweep {self.controller.sweep.sweep_id!r} all failed "
                f"with {reasons.pop()}; to continue anyway, pass run_sweep(stop_after_failures=None)",
                self.outcomes[0].error,
            )


def _is_stop_error(error: BaseException) -> bool:
    """Whether the trial's run was stopped in W&B's UI; Flyte identifies an error by its name."""
    return getattr(error, "code", None) == RunStoppedError.__name__


async def _wait_for_end(action: asyncio.Task[Any]) -> None:
    """Wait for the end of an action that was cancelled, also where this is cancelled meanwhile, and again."""
    cancelled: asyncio.CancelledError | None = None
    while not action.done():
        try:
            await asyncio.wait({action})
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
    if cancelled:
        raise cancelled


async def _run_off_loop(call: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking call in a thread, to its end also where this is cancelled."""
    result, cancelled = await run_uninterrupted(call, *arguments)
    if cancelled:
        raise cancelled
    return result
