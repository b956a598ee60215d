"""What plugins add to a run, and what they observe of it. Nothing here fails a task; observers have a time limit."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from flyte_wandb_hookspecs import plain_copy

from .._logging import log_once, one_line, quoted
from ..plugins._manager import StrategyManager
from ..settings._schema import FIELDS

_LOG = logging.getLogger("flyte_wandb")
_KEYS: Final = ("tags", "config", "notes", "job_type")

OBSERVER_SECONDS: Final = 5.0
"""How long a task waits for one observer. One that takes longer keeps running in its own thread.

At the end of a preempted task it counts against Kubernetes' 30 seconds (`_sigterm.py`).
"""


class Contribution(NamedTuple):
    """Settings that are added to those of the user, who wins.

    Attributes:
        tags: Tags behind the user's.
        config: Configuration below the user's keys.
        once: `notes` and `job_type`, where the user set none.
        identity: Configuration that is written anew by each attempt: which action of Flyte it is.
    """

    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = MappingProxyType({})
    once: Mapping[str, str] = MappingProxyType({})
    identity: Mapping[str, Any] = MappingProxyType({})


NOTHING_ADDED: Final = Contribution()


def collect_contributions(ask: StrategyManager, **about: Any) -> Contribution:
    """Merge what all plugins add to the run of a plan. Of two that name one key, the first by name wins.

    Args:
        ask: The plugins.
        about: Arguments of `contribute_run_settings`.
    """
    contributors = ask.each("contribute_run_settings")
    if not contributors:
        return NOTHING_ADDED
    tags: dict[str, None] = {}
    config: dict[str, Any] = {}
    once: dict[str, str] = {}
    for plugin, call in contributors:
        answer = _usable_contribution(plugin, call, about)
        tags.update(dict.fromkeys(answer.get("tags", ())))
        # What is there already goes over the answer: the first plugin by name wins.
        config = {**plain_copy(answer.get("config", {})), **config}
        once = {**{name: answer[name] for name in ("notes", "job_type") if name in answer}, **once}
    return Contribution(tags=tuple(tags), config=config, once=once)


def notify_observers(ask: StrategyManager, hook: str, **about: Any) -> None:
    """Call all observers, one after the other by name. What goes wrong in one is logged.

    Args:
        ask: The plugins.
        hook: ``run_started`` or ``run_finished``.
        about: Its arguments.
    """
    for plugin, call in ask.each(hook):
        _call_bounded(partial(_call_logged, call, about), f"{hook} of plugin {plugin!r}")


def _usable_contribution(plugin: str, call: Callable[..., Any], about: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = _call_logged(call, about)
    if answer is None:
        return {}
    try:
        # A copy: the plugin may change its own while the run is being opened with it.
        answer = plain_copy(answer)
        fault = _contribution_fault(answer)
    except Exception as error:  # a mapping of the plugin's own can raise, and what holds itself has no end
        fault = f"it cannot be read: {type(error).__name__}: {one_line(error)}"
    if fault:
        log_once(f"contribute_run_settings of plugin {plugin!r} answered {quoted(answer)}, which is ignored: {fault}")
        return {}
    return answer  # type: ignore[no-any-return]


def _contribution_fault(answer: Any) -> str | None:
    if not isinstance(answer, Mapping):
        return f"expected a mapping with some of {', '.join(_KEYS)}, got {type(answer).__name__}"
    return next(_contribution_faults(answer), None)


def _contribution_faults(answer: Mapping[str, Any]) -> Iterator[str]:
    for name, value in answer.items():
        fault = FIELDS[name].check(value) if name in _KEYS else f"only {', '.join(_KEYS)} can be added"
        if fault := fault or (None if name == "config" else _unwritable_fault(value)):
            yield f"{name}: {fault}"


def _unwritable_fault(value: Any) -> str | None:
    """Return why W&B cannot write strings, or None. It would fail the task when the run is opened."""
    try:
        " ".join(value).encode()
    except UnicodeEncodeError as error:
        return str(error)
    return None


def _call_logged(call: Callable[..., Any], about: Mapping[str, Any]) -> Any:
    try:
        return call(about)
    except Exception as error:
        _LOG.error("the task continues: %s", one_line(error), exc_info=error)
        return None


def _call_bounded(call: Callable[[], Any], what: str) -> None:
    # In a thread, for there is no other way to leave a call that hangs; with the context, for `get_wandb_run`.
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(call,), name=what, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # such as a machine that has no more threads
        log_once(f"{what} is not called: {one_line(error)}")
        return
    thread.join(OBSERVER_SECONDS)
    if thread.is_alive():
        log_once(f"{what} is still running after {OBSERVER_SECONDS:g} s; the task no longer waits for it")
