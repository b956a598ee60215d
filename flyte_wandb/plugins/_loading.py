"""The installed plugins: found through entry points, in an order that no file system decides."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from flyte_wandb_hookspecs import PROJECT_NAME

from .._errors import FlyteWandbError, PluginError
from ._manager import BUILT_IN, StrategyManager

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

DISABLE_VARIABLE: Final = "FLYTE_WANDB_DISABLE_PLUGINS"
"""Environment variable with the names of plugins to leave out, separated by commas."""


class InstalledPlugin(NamedTuple):
    """One installed plugin, and what became of it.

    Attributes:
        name: Name of its entry point.
        distribution: Name of the distribution that brings it, or its module if no distribution is known.
        version: The distribution's version, or None.
        disabled: Whether it is left out by `FLYTE_WANDB_DISABLE_PLUGINS`.
        problem: Why it cannot be used, or what is wrong in its answers; None where nothing is.
    """

    name: str
    distribution: str
    version: str | None = None
    disabled: bool = False
    problem: FlyteWandbError | None = None

    @property
    def origin(self) -> str:
        """The plugin's distribution, with the version if it is known, for messages.

        >>> InstalledPlugin(name="acme", distribution="acme-names", version="1.2").origin
        'acme-names 1.2'
        """
        return f"{self.distribution} {self.version}" if self.version else self.distribution


@functools.cache
def get_manager() -> StrategyManager:
    """Return the manager with every installed plugin. Each process loads them once, when it first needs one.

    Raises:
        PluginError: A plugin cannot be loaded or registered. The message names it, its distribution and the remedy.
    """
    return load_plugins(_entry_points(), disabled=disabled_names())


def built_in_manager() -> StrategyManager:
    """Return a new manager with the built-in strategies only."""
    return load_plugins(entry_point for entry_point in _entry_points() if entry_point.name == BUILT_IN)


@contextmanager
def use_plugin(plugin: object, *, name: str | None = None) -> Iterator[None]:
    """Use a plugin until the block ends, beside the installed ones: for tests and notebooks.

    Args:
        plugin: A module or object with hook implementations.
        name: Its name in messages. Default: the name of the module or class.

    Raises:
        PluginError: It does not fit the contract, or its name or one of its strategies is taken.

    >>> from flyte_wandb import Request, hookimpl, plan
    >>> class Names:
    ...     @hookimpl
    ...     def compute_run_id(self, request):
    ...         return f"acme-{request.base}"
    >>> with use_plugin(Names()):
    ...     plan(Request(run_name="r1", action_name="a0")).run_id
    'acme-r1-a0'
    """
    plugin_name = name or str(getattr(plugin, "__name__", type(plugin).__name__))
    manager = get_manager()
    manager.register(plugin, name=plugin_name, origin="used in this process")
    try:
        yield
    finally:
        manager.unregister(plugin_name)


def survey_plugins() -> tuple[StrategyManager, list[InstalledPlugin]]:
    """Load every installed plugin into a new manager, and return what became of each, by name."""
    manager, plugins = _survey_entry_points(_entry_points(), disabled_names())
    return manager, sorted(plugins, key=lambda plugin: plugin.name)


def disabled_names() -> frozenset[str]:
    """Return the plugin names that `FLYTE_WANDB_DISABLE_PLUGINS` leaves out."""
    return frozenset(name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",") if name.strip())


def installed_origins() -> dict[str, str]:
    """Return where each plugin comes from, by name, such as ``acme-names 1.2``; no built-in, none that is left out.

    Imports none of them.
    """
    origins = _read_origins()
    # Read at each call, because tests and notebooks change it; the plugins themselves are read once.
    skipped = disabled_names() if origins else ()
    return {name: origin for name, origin in origins.items() if name not in skipped}


@functools.cache
def _read_origins() -> dict[str, str]:
    return {point.name: _describe_entry_point(point).origin for point in _entry_points() if point.name != BUILT_IN}


def load_plugins(entry_points: Iterable[EntryPoint], *, disabled: frozenset[str] = frozenset()) -> StrategyManager:
    """Register the plugins of some entry points. They are asked in the order of their names, the built-ins last.

    Args:
        entry_points: Entry points in any order.
        disabled: Names of plugins to leave out.

    Raises:
        PluginError: A plugin cannot be loaded or registered.
    """
    manager, plugins = _survey_entry_points(entry_points, disabled)
    # Without a plugin, this process would name runs otherwise than the others do, so the task has to stop.
    for problem in (plugin.problem for plugin in plugins if plugin.problem):
        raise problem
    return manager


# Once per process: the search goes through the metadata of every installed distribution.
@functools.cache
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import distributions

    section = f"[{PROJECT_NAME}]"
    # `importlib.metadata.entry_points` reads all sections of all distributions, which takes twice as long.
    with_section = [one for one in distributions() if section in (one.read_text("entry_points.txt") or "")]
    # By name: a folder may be in `sys.path` twice.
    in_force = {_read_identity(one).name: one for one in with_section if _is_in_force(one)}
    points = [point for one in in_force.values() for point in one.entry_points]
    return tuple(point for point in points if point.group == PROJECT_NAME)


def _is_in_force(distribution: Distribution) -> bool:
    """Whether Python imports this distribution, rather than one of its name that comes before it in `sys.path`."""
    identity = _read_identity(distribution)
    first = distribution.from_name(identity.name)
    return first.locate_file("") == distribution.locate_file("") and _read_identity(first) == identity


class _Identity(NamedTuple):
    """Name and version of a distribution."""

    name: str
    version: str


@functools.cache  # asked for at each step from the search to the registration
def _read_identity(distribution: Distribution) -> _Identity:
    # `distribution.name` and `.version` each parse all of the metadata, a README in it, and keep nothing of it (3.11).
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    lines = (line.partition(": ") for line in text.partition("\n\n")[0].splitlines())
    headers = {name: value for name, _, value in lines}
    if "Name" not in headers or "Version" not in headers:  # they are written in another form
        return _Identity(name=distribution.name, version=distribution.version)
    return _Identity(name=headers["Name"], version=headers["Version"])


def _survey_entry_points(
    entry_points: Iterable[EntryPoint], disabled: frozenset[str]
) -> tuple[StrategyManager, list[InstalledPlugin]]:
    manager = StrategyManager()
    # The file system orders entry points as it likes: submitter and container would ask plugins in different orders.
    in_order = sorted(entry_points, key=_registration_order, reverse=True)
    return manager, [_try_entry_point(manager, point, disabled=point.name in disabled) for point in in_order]


def _try_entry_point(manager: StrategyManager, entry_point: EntryPoint, *, disabled: bool) -> InstalledPlugin:
    plugin = _describe_entry_point(entry_point)
    if disabled:
        return plugin._replace(disabled=True)
    try:
        manager.register(_load_entry_point(entry_point, plugin), name=plugin.name, origin=plugin.origin)
    except PluginError as problem:
        way_out = PluginError(f"{problem} (to continue without it: {DISABLE_VARIABLE}={plugin.name})")
        way_out.__cause__ = problem.__cause__
        return plugin._replace(problem=way_out)
    return plugin


def _describe_entry_point(entry_point: EntryPoint) -> InstalledPlugin:
    distribution = entry_point.dist
    if distribution is None:
        return InstalledPlugin(name=entry_point.name, distribution=entry_point.value)
    identity = _read_identity(distribution)
    return InstalledPlugin(name=entry_point.name, distribution=identity.name, version=identity.version)


def _registration_order(entry_point: EntryPoint) -> tuple[bool, str, str]:
    """Sort built-ins first and names in reverse: pluggy asks the plugin registered last before the others."""
    return (entry_point.name == BUILT_IN, entry_point.name, _describe_entry_point(entry_point).origin)


def _load_entry_point(entry_point: EntryPoint, plugin: InstalledPlugin) -> object:
    try:
        return entry_point.load()
    except (Exception, SystemExit) as error:  # a module that is a script may exit when it is imported
        remedy = f"repair the module or the entry point, {entry_point.name} = {entry_point.value!r}, or uninstall it"
        raise PluginError(
            f"plugin {plugin.name!r} ({plugin.origin}) cannot be loaded: {type(error).__name__}: {error}; {remedy}"
        ) from error
