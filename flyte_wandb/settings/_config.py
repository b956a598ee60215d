"""`wandb_config`: settings that reach every task below."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

import flyte

from .._action import current_action
from ._context import RUNS, SWEEPS, SettingsNamespace, read_settings, write_settings
from ._schema import SettingArguments, check_settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._sweep_schema import SweepArguments

_entered: ContextVar[tuple[tuple[WandbConfig, AbstractContextManager[None]], ...]] = ContextVar(
    "flyte_wandb_entered", default=()
)


class WandbConfig(dict[str, str]):
    """Settings as the keys and texts that Flyte's context carries. Make one with `wandb_config`.

    It is the dict for ``with_runcontext(custom_context=...)``, unpacks with ``**`` beside other keys, and is a context
    manager for the tasks called inside; one object may be entered many times, also by several coroutines at once.
    Each setting can be read back as an attribute, None where it is not set.

    >>> config = wandb_config(project="vision", tags=["baseline"])
    >>> dict(config)
    {'wandb_project': 'vision', 'wandb_tags': '["baseline"]'}
    >>> config.tags, config.entity
    (['baseline'], None)
    """

    __slots__ = ()
    _namespace: ClassVar[SettingsNamespace] = RUNS

    def __getattr__(self, name: str) -> Any:
        if name not in self._namespace.fields:
            raise AttributeError(f"{self._namespace.writer} has no setting {name!r}")
        return read_settings(self, self._namespace).get(name)

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
    """The configuration of a sweep as the keys and texts that Flyte's context carries; used as a `WandbConfig` is.

    >>> config = wandb_sweep_config(method="grid", parameters={"lr": {"values": [0.1, 0.01]}})
    >>> config.method, config.parameters
    ('grid', {'lr': {'values': [0.1, 0.01]}})
    """

    __slots__ = ()
    _namespace: ClassVar[SettingsNamespace] = SWEEPS


def wandb_config(**settings: Unpack[SettingArguments]) -> WandbConfig:
    """Collect settings for a whole run, or for the tasks called inside a ``with`` block.

    Args:
        settings: See `SettingArguments`. A setting that is None or left out never overrides an outer one.

    Raises:
        SettingError: A name is unknown, W&B would refuse a value, or a value cannot travel as text; the message names
            the setting and, inside `config`, the key.

    Example::

        flyte.with_runcontext(custom_context=wandb_config(project="vision", tags=["baseline"])).run(train)

        with wandb_config(run_mode="new"):
            await evaluate()
    """
    from ..plugins._versions import write_plugins

    return WandbConfig(write_settings(check_settings(settings, "wandb_config")) | write_plugins())


def wandb_sweep_config(**settings: Unpack[SweepArguments]) -> WandbSweepConfig:
    """Collect the configuration of a sweep, for the `wandb_sweep` tasks of a run or of a ``with`` block.

    Args:
        settings: See `SweepArguments`. A setting that is None or left out never overrides an outer one. Project, entity
            and host go over those of `wandb_config`.

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
    given = check_settings(settings, SWEEPS.writer, SWEEPS.fields)
    return WandbSweepConfig(write_settings(given, SWEEPS))


def get_wandb_sweep_context() -> WandbSweepConfig | None:
    """Return the configuration in force from `wandb_sweep_config`, or None where there is none.

    >>> with wandb_sweep_config(method="random"):
    ...     get_wandb_sweep_context().method
    'random'
    """
    return WandbSweepConfig(write_settings(read_settings(config_in_force(), SWEEPS), SWEEPS)) or None


def get_wandb_context() -> WandbConfig | None:
    """Return the settings in force from `wandb_config`, or None where there are none.

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
