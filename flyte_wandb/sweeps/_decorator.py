"""`wandb_sweep`: the decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from .._errors import SettingError
from ..links._link import WandbSweep
from ..plans._spec import Spec
from ..settings._schema import check_settings
from ..settings._sweep_schema import SWEEP_FIELDS
from ..tasks import _flyte_task as _templates
from ..tasks._wrapper import check_trackable, track_function

if TYPE_CHECKING:
    import flyte
    from typing_extensions import Unpack

    from ..settings._sweep_schema import SweepArguments

T = TypeVar("T", bound="flyte.TaskTemplate[..., Any, Any]")
_NAME: Final = "wandb_sweep"
_PLACE: Final = ("project", "entity", "host")


@overload
def wandb_sweep(target: T, /) -> T: ...


@overload
def wandb_sweep(**settings: Unpack[SweepArguments]) -> Callable[[T], T]: ...


def wandb_sweep(target: Any = None, /, **settings: Unpack[SweepArguments]) -> Any:
    """Create a W&B sweep for a Flyte task. Decorated tasks below it work for the same sweep.

    Inside, `get_wandb_sweep_id` returns the sweep's id. Run its trials with `run_sweep` or `wandb.agent`. Put it above
    ``@env.task``, and above or below `wandb_init`.

    Args:
        target: The task, if you use the decorator without parentheses.
        settings: See `SweepArguments`. First match wins: these, `wandb_sweep_config`, `wandb_config`.

    Returns:
        The same task object.

    Raises:
        SettingError: A setting cannot be used, or the target is not a task that runs its function in one process.

    Example::

        @wandb_sweep(project="vision")
        @env.task
        def search() -> None:
            wandb.agent(get_wandb_sweep_id(), function=objective, count=10)
    """
    given = check_settings(settings, _NAME, SWEEP_FIELDS)
    return partial(_decorate_task, settings=given) if target is None else _decorate_task(target, settings=given)


def _decorate_task(task: T, *, settings: Mapping[str, Any]) -> T:
    if not _templates.is_task(task):
        raise SettingError(f"{_NAME} decorates a Flyte task, not {task!r}; put it above @env.task")
    function = check_trackable(_templates.task_function(task, _NAME), _NAME)
    spec = Spec(settings=settings, task_name=task.name)
    _refuse_ranks(task, spec)
    link = _build_link(settings, spec)
    _templates.replace_function(task, track_function(function, spec, _NAME, "flyte_wandb.sweeps._call"), links=(link,))
    return task


def _build_link(settings: Mapping[str, Any], spec: Spec) -> WandbSweep:
    place = {name: value for name, value in settings.items() if name in _PLACE}
    if "id" not in settings:
        return WandbSweep(spec=Spec(settings=place, task_name=spec.task_name))
    from ._call import read_sweep_reference  # here, for it loads what only a running sweep needs

    reference = read_sweep_reference(settings["id"])
    place |= {name: getattr(reference, name) for name in _PLACE if getattr(reference, name)}
    return WandbSweep(spec=Spec(settings=place, task_name=spec.task_name), id=reference.id)


def _refuse_ranks(task: Any, spec: Spec) -> None:
    if _templates.declared_topology(task):
        raise SettingError(
            f"{_NAME} cannot decorate {spec.task_name!r}: each of its ranks would create a sweep; decorate a task of "
            "one process that runs this one as a trial with run_sweep"
        )
