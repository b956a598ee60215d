"""`wandb_init`: the decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._errors import SettingError
from ..links._per_part import build_task_links
from ..plans._spec import Spec
from ..results.downloads._after_task import ON_RANKS
from ..settings._schema import SettingArguments, check_settings
from . import _flyte_task as _templates
from ._wrapper import check_trackable, track_function

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T", bound="Callable[..., Any]")  # the task or function itself, so its signature is kept


@overload
def wandb_init(target: T, /) -> T: ...


@overload
def wandb_init(**settings: Unpack[SettingArguments]) -> Callable[[T], T]: ...


def wandb_init(target: Any = None, /, **settings: Unpack[SettingArguments]) -> Any:
    """Open the right W&B run for a Flyte task (or a plain function), and finish it with the task's outcome.

    Put it outermost, above ``@env.task``. Inside the task, `get_wandb_run` returns the run.

    Args:
        target: The task or function, if you use the decorator without parentheses.
        settings: See `SettingArguments`. They apply to this task and its traces only; settings for the tasks that it
            calls go into `wandb_config`.

    Returns:
        The same task object, or a wrapped function.

    Raises:
        SettingError: A setting cannot be used, or the target cannot be tracked: a class, a generator, a task that does
            not run its function in its own process, or something that is decorated twice.

    Example::

        @wandb_init(project="vision", tags=["baseline"])
        @env.task
        def train(epochs: int) -> float:
            run = get_wandb_run()
            ...
    """
    checked = check_settings(settings, "wandb_init")
    for kind in ("run_mode", "rank_scope"):
        if kind in checked:
            _refuse_unknown_strategy(kind, checked[kind])
    # Without parentheses the decorator is called with its target; with them, Python calls what it returns.
    return partial(_decorate_target, settings=checked) if target is None else _decorate_target(target, settings=checked)


def _decorate_target(target: T, *, settings: Mapping[str, Any]) -> T:
    if _templates.is_task(target):
        _decorate_task(target, settings)
        return target
    function: Any = check_trackable(target, "wandb_init")
    # `outermost=False`: `@env.task` may follow above, which gets no links then.
    tracked: Any = track_function(function, Spec(settings=settings, outermost=False))
    return tracked  # type: ignore[no-any-return]


def _decorate_task(task: Any, settings: Mapping[str, Any]) -> None:
    function = check_trackable(_templates.task_function(task, "wandb_init"), "wandb_init")
    spec = Spec(settings=settings, task_name=task.name, declared=_templates.declared_topology(task))
    _refuse_download_of_ranks(spec)
    report = spec.settings.get("report", False)
    _templates.replace_function(task, track_function(function, spec), links=build_task_links(spec), report=report)


def _refuse_download_of_ranks(spec: Spec) -> None:
    if spec.declared and spec.settings.get("download_logs"):
        raise SettingError(
            f"wandb_init(download_logs=True) does not work on the ranks of {spec.task_name!r}: {ON_RANKS}"
        )


def _refuse_unknown_strategy(kind: str, setting: str) -> None:
    # Here, for a task that names no strategy loads no plugin at decoration, which every rank does.
    from ..plugins._loading import get_manager

    manager = get_manager()
    if not manager.knows(kind, setting):
        raise SettingError(
            f"wandb_init({kind}={setting!r}): no plugin brings it; {manager.known()}{manager.suggest(kind, setting)}"
        )
