"""The one module that touches Flyte's task templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import flyte

from .._errors import SettingError

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Topology

_RUN_ELSEWHERE: Final = ("core-sleep", "core-echo")
"""Task types that Flyte's backend runs itself, whatever the function's body says."""
_CALLS: Final = frozenset({"func", "super", "execute", "forward"})
"""Names of which an `execute` mentions one where it calls the function: itself, or through Flyte's own methods."""


def is_task(target: object) -> bool:
    """Whether `target` is a task of Flyte."""
    return isinstance(target, flyte.TaskTemplate)


def task_function(task: flyte.TaskTemplate[..., Any, Any], decorator: str) -> Callable[..., Any]:
    """Return the Python function that the task runs in its own process.

    Raises:
        SettingError: The task runs none, or runs it elsewhere, so that no run could be opened around it; or it is an
            async one under Elastic, which Flyte cannot run.
    """
    if (
        not isinstance(task, flyte.AsyncFunctionTaskTemplate)
        or task.task_type in _RUN_ELSEWHERE
        or not _runs_func(task)
    ):
        raise SettingError(
            f"{decorator} cannot track the task {task.name!r}: a {type(task).__name__} does not run a Python function "
            "in its own process; decorate a task that calls it instead"
        )
    function: Callable[..., Any] = task.func
    # By name: flyteplugins-pytorch, which brings it, is not installed everywhere, and importing it loads torch.
    if iscoroutinefunction(function) and type(getattr(task, "plugin_config", None)).__name__ == "Elastic":
        raise SettingError(
            f"{decorator} cannot track the task {task.name!r}: it is an async function under Elastic, and Flyte "
            "calls its ranks without awaiting them; write 'def', and call async code inside with asyncio.run(...)"
        )
    return function


def replace_function(
    task: flyte.TaskTemplate[..., Any, Any],
    function: Callable[..., Any],
    links: tuple[flyte.Link, ...],
    *,
    report: bool = False,
) -> None:
    """Put `function`, more `links` and the wish for a `report` into the very object that Flyte knows.

    A copy would be lost: `.override()`, `flyte deploy`, pickled bundles and Elastic ranks all start from this object.
    """
    task.func = function  # type: ignore[attr-defined]
    task.links = (*task.links, *links)
    task.report = task.report or report  # else Flyte writes no report, and `add_tab` has no page to write to


def is_task_function(function: Callable[..., Any]) -> bool:
    """Whether a decorated function became a task of Flyte, rather than a trace or a helper that a task calls."""
    from flyte._environment import list_loaded_environments  # no public way (flyte 2.12)

    tasks = (task for env in list_loaded_environments() for task in getattr(env, "tasks", {}).values())
    return any(getattr(getattr(task, "func", None), "__wrapped__", None) is function for task in tasks)


def declared_topology(task: flyte.TaskTemplate[..., Any, Any]) -> Topology | None:
    """Return rank 0 of the world that the task's environment declares, or None for a task of one process.

    Raises:
        HookError: No world can be as it is declared, or a plugin failed.
    """
    from ..plans._plan import declare_topology  # loads the plugins, which `import flyte_wandb` does not

    # A weak reference, which a pickled task does not have (flyte 2.12.1).
    environment = task.parent_env() if task.parent_env else None
    return declare_topology(getattr(task, "plugin_config", None), environment)


def declares_world_of_its_own(task: flyte.TaskTemplate[..., Any, Any]) -> bool:
    """Whether the task has another `plugin_config` than its environment, as `.override` gives it."""
    environment = task.parent_env() if task.parent_env else None
    return getattr(task, "plugin_config", None) is not getattr(environment, "plugin_config", None)


def _runs_func(task: flyte.AsyncFunctionTaskTemplate[..., Any, Any]) -> bool:
    """Whether the template's `execute` calls the function. Flyte's code tasks, say, read its source text instead.

    Flyte does not say this of a template (2.12.1): its class tree does not, and to ask `execute` itself would run the
    task. So look which names the method mentions. An override that hides the call behind another name is refused
    with an error at decoration. Otherwise a task would run without its run.
    """
    return any(not _CALLS.isdisjoint(code.co_names) for code in _nested_codes(type(task).execute.__code__))


def _nested_codes(code: CodeType) -> Iterator[CodeType]:
    # Functions inside of it, too: a lambda that is run in a thread, or a comprehension before Python 3.12.
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested_codes(constant)
