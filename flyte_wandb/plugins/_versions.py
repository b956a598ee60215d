"""The same plugins everywhere: those of the submitter travel with the task, and are compared where it runs.

Links are made by the submitter and runs by the container. A naming rule that only one of them has would have links lead
to runs that do not exist, and ranks on different images disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from .._errors import PluginError, SettingError
from .._logging import log_once
from ._loading import DISABLE_VARIABLE, installed_origins

PLUGINS_KEY: Final = "_wandb_plugins"

_OURS: Final = ("wandb_", "_wandb_")


def write_plugins() -> dict[str, str]:
    """Write names, distributions and versions of the plugins installed here; nothing where there are only built-ins."""
    origins = installed_origins()
    return {PLUGINS_KEY: json.dumps(origins, sort_keys=True)} if origins else {}


def check_plugins(context: Mapping[str, str]) -> None:
    """Compare the plugins here with those of the submitter, where `wandb_config` or a tracked parent tells of it.

    Both leave the key out where they have no plugins.

    Raises:
        PluginError: A plugin of the submitter is missing here.
    """
    here, text = installed_origins(), context.get(PLUGINS_KEY, "{}")
    if (not here and text == "{}") or not any(key.startswith(_OURS) for key in context):
        return
    there = _read_plugins(text)
    for name, origin in there.items():
        if name not in here:
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
    except (ValueError, AttributeError) as error:
        raise SettingError(f"{PLUGINS_KEY}={text!r} in Flyte's context is no list of plugins: {error}") from error
