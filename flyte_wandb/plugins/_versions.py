"""The same plugins everywhere: the submitter's list of plugins travels with the task, and is compared where it runs.

The submitter builds links, and the container opens runs. If only one of them has a naming rule, links lead to runs
that do not exist. Ranks on different images disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from .._errors import PluginError, SettingError
from .._logging import log_once, quoted
from ._loading import DISABLE_VARIABLE, installed_origins

PLUGINS_KEY: Final = "_wandb_plugins"

_OWN_PREFIXES: Final = ("wandb_", "_wandb_")
"""What the keys of flyte-wandb start with in Flyte's context."""


def write_plugins() -> dict[str, str]:
    """Write names, distributions and versions of the plugins installed here; nothing where there are only built-ins."""
    origins = installed_origins()
    # Sorted, so that the same plugins are the same text on every machine.
    return {PLUGINS_KEY: json.dumps(origins, sort_keys=True)} if origins else {}


def check_plugins(context: Mapping[str, str]) -> None:
    """Compare the plugins here with those of the submitter, where `wandb_config` or a tracked parent tells of it.

    Both leave the key out where they have no plugins.

    Raises:
        PluginError: A plugin of the submitter is missing here.
    """
    here, text = installed_origins(), context.get(PLUGINS_KEY, "{}")
    # A context without any key of ours was not written by us, so a missing list says nothing about the submitter.
    if (not here and text == "{}") or not any(key.startswith(_OWN_PREFIXES) for key in context):
        return
    there = _read_plugins(text)
    for name, origin in there.items():
        if name not in here:
            # An error, because the link is out already and leads to the id that the missing plugin names.
            raise PluginError(_describe_missing(name, origin))
        if here[name] != origin:
            log_once(
                f"plugin {name!r} is {here[name]} here and was {origin} where this task was submitted: run ids and "
                "links may differ; install the same version in both places"
            )
    for name in sorted(here.keys() - there.keys()):
        log_once(
            f"plugin {name!r} ({here[name]}) is installed here and was not where this task was submitted: run ids and "
            f"links may differ; install it there, too, or leave it out here with {DISABLE_VARIABLE}={name}"
        )


def _describe_missing(name: str, origin: str) -> str:
    distribution = origin.partition(" ")[0]
    return (
        f"plugin {name!r} ({origin}), which was installed where this task was submitted, is missing here; add "
        f"`{distribution}` to the task's image, or leave the plugin out where it is submitted with "
        f"{DISABLE_VARIABLE}={name}"
    )


def _read_plugins(text: str) -> dict[str, str]:
    try:
        return {str(name): str(origin) for name, origin in json.loads(text).items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise SettingError(
            f"{PLUGINS_KEY}={quoted(text)} in Flyte's context is not a list of plugins: {error}"
        ) from error
