"""`flyte-wandb plugins`: what is installed, and whether it can be used."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from flyte_wandb import PluginError, StrategyManager
from flyte_wandb._logging import one_line
from flyte_wandb.cli._screen import cell_text, get_console, new_table
from flyte_wandb.plans._rehearsal import rehearse_plugins
from flyte_wandb.plugins._loading import InstalledPlugin, survey_plugins

_COLOURS = {"ok": "green", "blocked": "yellow", "broken": "red"}


def show_plugins(*, as_json: bool) -> bool:
    """Print the installed plugins, and return whether all of them can be used.

    Args:
        as_json: Whether to print JSON.
    """
    manager, plugins = survey_plugins()
    plugins = rehearse_plugins(manager, plugins)
    descriptions = [_describe_plugin(manager, plugin) for plugin in plugins]
    if as_json:
        click.echo(json.dumps(descriptions))
    else:
        _print_plugins(descriptions)
    return not any(plugin.problem for plugin in plugins)


def state_of(plugin: InstalledPlugin) -> str:
    """Return ``ok``, ``blocked`` (by the environment variable) or ``broken`` (not loaded, or wrong in its answers)."""
    if plugin.disabled:
        return "blocked"
    return "broken" if plugin.problem else "ok"


def _describe_plugin(manager: StrategyManager, plugin: InstalledPlugin) -> dict[str, Any]:
    state = state_of(plugin)
    # Another plugin may be registered under the name of one that could not be.
    registered = not plugin.disabled and not isinstance(plugin.problem, PluginError)
    strategies = manager.strategies_of(plugin.name) if registered else []
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": state,
        "hooks": manager.hooks_of(plugin.name) if registered else [],
        "strategies": [dataclasses.asdict(strategy) for strategy in strategies],
        "problem": one_line(plugin.problem) if plugin.problem else None,
    }


def _print_plugins(descriptions: list[dict[str, Any]]) -> None:
    console = get_console()
    plugins = new_table("plugin", "version", "distribution", "state", "hooks")
    strategies = new_table("strategy", "kind", "plugin", "what it does")
    for plugin in descriptions:
        state = f"[{_COLOURS[plugin['state']]}]{plugin['state']}[/]"
        names = map(cell_text, (plugin["name"], plugin["version"], plugin["distribution"]))
        plugins.add_row(*names, state, ", ".join(plugin["hooks"]))
        for strategy in plugin["strategies"]:
            cells = (strategy["name"], strategy["kind"].replace("_", " "), plugin["name"], strategy["summary"])
            strategies.add_row(*map(cell_text, cells))
    console.print(plugins, "", strategies)
    # Behind the tables, because a cell is too narrow for an error.
    for plugin in descriptions:
        if plugin["problem"]:
            console.print(f"\n[red]{cell_text(plugin['problem'])}[/]", soft_wrap=True)
