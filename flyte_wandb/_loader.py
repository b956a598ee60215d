"""The installed plugins: found through entry points, in an order that no file system decides."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from flyte_wandb_hookspecs import PROJECT_NAME

from ._errors import PluginError
from ._manager import StrategyManager

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

DISABLE_VARIABLE: Final = "FLYTE_WANDB_DISABLE_PLUGINS"
"""Environment variable with the names of plugins to leave out, separated by commas."""


@functools.cache
def installed() -> StrategyManager:
    """Return the manager with every installed plugin, loaded once per process when it is first needed.

    Raises:
        PluginError: A plugin cannot be loaded or registered; the message names it, its distribution and the remedy.
    """
    from importlib.metadata import entry_points

    return load(entry_points(group=PROJECT_NAME), disabled=disabled_names())


def disabled_names() -> frozenset[str]:
    """Return the plugin names that `FLYTE_WANDB_DISABLE_PLUGINS` leaves out."""
    return frozenset(name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",") if name.strip())


def load(found: Iterable[EntryPoint], *, disabled: frozenset[str] = frozenset()) -> StrategyManager:
    """Register the plugins behind `found`, so that they are asked in the order of their names, the built-ins last.

    Args:
        found: Entry points in any order.
        disabled: Names of plugins to leave out.
    """
    manager = StrategyManager()
    for entry_point in sorted(found, key=_registration_order, reverse=True):
        if entry_point.name not in disabled:
            manager.register(_loaded(entry_point), name=entry_point.name, origin=_origin(entry_point))
    return manager


def _registration_order(entry_point: EntryPoint) -> tuple[bool, str, str]:
    """Sort built-ins first and names in reverse: pluggy asks the plugin registered last before the others."""
    return (entry_point.name == "builtin", entry_point.name, _origin(entry_point))


def _loaded(entry_point: EntryPoint) -> object:
    try:
        return entry_point.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"plugin {entry_point.name!r} ({_origin(entry_point)}) cannot be loaded: {type(error).__name__}: {error}; "
            f"repair or uninstall it, or leave it out with {DISABLE_VARIABLE}={entry_point.name}"
        ) from error


def _origin(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist
    return f"{distribution.name} {distribution.version}" if distribution else entry_point.value
