"""`wandb_config`: settings that reach every task below."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any

import flyte

from ._action import current_action
from ._context import read_settings, written_settings
from ._fields import FIELDS, SettingArguments, checked

if TYPE_CHECKING:
    from typing_extensions import Unpack

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

    def __getattr__(self, name: str) -> Any:
        if name not in FIELDS:
            raise AttributeError(f"wandb_config has no setting {name!r}")
        return read_settings(self).get(name)

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
    from ._provenance import written_plugins

    return WandbConfig(written_settings(checked(settings, "wandb_config")) | written_plugins())


def get_wandb_context() -> WandbConfig | None:
    """Return the settings in force from `wandb_config`, or None where there are none.

    >>> with wandb_config(project="vision"):
    ...     get_wandb_context().project
    'vision'
    """
    in_force = WandbConfig(written_settings(read_settings(config_in_force())))
    return in_force or None


def config_in_force() -> dict[str, str]:
    """Return Flyte's context inside a task, and what `wandb_config` blocks have entered outside of one."""
    if action := current_action():
        return dict(action.context)
    return {key: text for config, _ in _entered.get() for key, text in config.items()}
