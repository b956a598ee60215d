"""`wandb_config`: settings that reach every task below."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import flyte

from .._action import current_action
from ._context import RUNS, SettingsNamespace, read_settings, write_settings
from ._schema import SettingArguments, check_settings, default_of
from ._sweep_schema import SWEEPS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._sweep_schema import SweepArguments

_entered: ContextVar[tuple[tuple[WandbConfig, AbstractContextManager[None]], ...]] = ContextVar(
    "flyte_wandb_entered", default=()
)


class WandbConfig(dict[str, str]):
    """Settings as the keys and texts that Flyte's context carries. Make one with `wandb_config`.

    Pass it to ``with_runcontext(custom_context=...)``, unpack it with ``**`` beside other keys, or use it as a context
    manager for the tasks called inside. You can enter one object many times, also in several coroutines at once.
    Read each setting as an attribute. A setting that is not set reads as its default, or None.

    >>> config = wandb_config(project="vision", tags=["baseline"])
    >>> config.to_dict()
    {'wandb_project': 'vision', 'wandb_tags': '["baseline"]'}
    >>> config.tags, config.entity, config.run_mode
    (['baseline'], None, 'auto')
    """

    __slots__ = ()
    _namespace: ClassVar[SettingsNamespace] = RUNS

    def __getattr__(self, name: str) -> Any:
        if name not in self._namespace.fields:
            raise AttributeError(f"{self._namespace.writer} has no setting {name!r}")
        found = read_settings(self, self._namespace)
        return found[name] if name in found else default_of(name)

    def to_dict(self) -> dict[str, str]:
        """Return the keys and texts as a plain dict, such as ``flyte.Trigger(custom_context=...)`` takes."""
        return dict(self)

    def __enter__(self) -> WandbConfig:
        inside = flyte.custom_context(**self)
        inside.__enter__()
        _entered.set((*_entered.get(), (self, inside)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        *outer, (_, inside) = _entered.get()
        _entered.set(tuple(outer))
        inside.__exit__(kind, error, trace)


class WandbSweepConfig(WandbConfig):
    """Sweep settings as the keys and texts that Flyte's context carries. Use it like a `WandbConfig`.

    >>> config = wandb_sweep_config(method="grid", parameters={"lr": {"values": [0.1, 0.01]}})
    >>> config.method, config.parameters
    ('grid', {'lr': {'values': [0.1, 0.01]}})
    """

    __slots__ = ()
    _namespace: ClassVar[SettingsNamespace] = SWEEPS


def wandb_config(
    project: str | None = None, entity: str | None = None, /, **settings: Unpack[SettingArguments]
) -> WandbConfig:
    """Collect settings for a whole run, or for the tasks called inside a ``with`` block.

    Args:
        project: The project; you can leave out its name.
        entity: The entity, likewise.
        settings: See `SettingArguments`. A setting that is None or left out never overrides an outer one.

    Raises:
        SettingError: A name is unknown, W&B would reject a value, or Flyte's context cannot carry it as text. The
            message names the setting and, inside `config`, the key.

    Example::

        flyte.with_runcontext(custom_context=wandb_config(project="vision", tags=["baseline"])).run(train)

        with wandb_config(run_mode="new"):
            await evaluate()
    """
    from ..plugins._versions import write_plugins

    given = _with_positional("wandb_config", {"project": project, "entity": entity}, settings)
    return WandbConfig(write_settings(check_settings(given, "wandb_config")) | write_plugins())


def wandb_sweep_config(
    method: str | None = None,
    metric: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    /,
    **settings: Unpack[SweepArguments],
) -> WandbSweepConfig:
    """Collect the configuration of a sweep, for the `wandb_sweep` tasks of a run or of a ``with`` block.

    Args:
        method: The method; you can leave out its name.
        metric: The metric, likewise.
        parameters: The parameters, likewise.
        settings: See `SweepArguments`. A setting that is None or left out never overrides an outer one. Project, entity
            and host override those of `wandb_config`.

    Raises:
        SettingError: A name is unknown, or a value cannot be used; the message names both.

    Example::

        config = wandb_sweep_config(
            method="random",
            metric={"name": "loss", "goal": "minimize"},
            parameters={"lr": {"min": 1e-4, "max": 1e-1}},
        )
        flyte.with_runcontext(custom_context={**wandb_config(project="vision"), **config}).run(search)
    """
    positional = {"method": method, "metric": metric, "parameters": parameters}
    given = _with_positional(SWEEPS.writer, positional, settings)
    return WandbSweepConfig(write_settings(check_settings(given, SWEEPS.writer, SWEEPS.fields), SWEEPS))


def _with_positional(function: str, positional: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings; passing one both by position and by name is a TypeError, as for any function."""
    given = {name: value for name, value in positional.items() if value is not None}
    if both := given.keys() & named.keys():
        raise TypeError(f"{function}() got multiple values for argument {min(both)!r}")
    return {**named, **given}


def get_wandb_sweep_context() -> WandbSweepConfig | None:
    """Return the sweep settings in force from `wandb_sweep_config`, or None.

    >>> with wandb_sweep_config(method="random"):
    ...     get_wandb_sweep_context().method
    'random'
    """
    return WandbSweepConfig(write_settings(read_settings(config_in_force(), SWEEPS), SWEEPS)) or None


def get_wandb_context() -> WandbConfig | None:
    """Return the settings in force from `wandb_config`, or None.

    >>> with wandb_config(project="vision"):
    ...     get_wandb_context().project
    'vision'
    """
    in_force = WandbConfig(write_settings(read_settings(config_in_force())))
    return in_force or None


def config_in_force() -> dict[str, str]:
    """Return Flyte's context inside a task, and what `wandb_config` blocks have entered outside of one."""
    if action := current_action():
        return dict(action.context)
    return {key: text for config, _ in _entered.get() for key, text in config.items()}
