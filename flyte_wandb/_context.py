"""Settings as they travel from task to task in Flyte's context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ._errors import SettingError
from ._fields import FIELDS
from ._notices import say_once

PREFIX: Final = "wandb_"
SWEEP_PREFIX: Final = "wandb_sweep_"


def written_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Write checked settings as context keys ``wandb_<field>``.

    >>> written_settings({"project": "vision", "joinable": False})
    {'wandb_project': 'vision', 'wandb_joinable': 'false'}
    """
    return {f"{PREFIX}{name}": FIELDS[name].encode(name, value) for name, value in settings.items()}


def read_settings(context: Mapping[str, str]) -> dict[str, Any]:
    """Read the settings in a context. Keys of others are ignored, ``wandb_`` keys among them with one warning.

    Raises:
        SettingError: A value does not fit its field; the message names key and value.

    >>> read_settings({"wandb_project": "vision", "team": "a"})
    {'project': 'vision'}
    """
    found = {key: text for key, text in context.items() if key.startswith(PREFIX) and not key.startswith(SWEEP_PREFIX)}
    if not found:
        return {}
    for key in found.keys() - {f"{PREFIX}{name}" for name in FIELDS}:
        say_once(f"the key {key!r} in Flyte's context is none of flyte-wandb's settings and is ignored")
    return {name: _read(name, found[f"{PREFIX}{name}"]) for name in FIELDS if f"{PREFIX}{name}" in found}


def _read(name: str, text: str) -> Any:
    field = FIELDS[name]
    try:
        value = field.decode(text)
        fault = field.check(value)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise SettingError(
            f"{PREFIX}{name}={text!r} in Flyte's context: {fault}; write it with wandb_config({name}=...)"
        )
    return value
