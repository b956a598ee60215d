"""Settings and records as they travel from task to task in Flyte's context, which carries texts only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from .._errors import SettingError
from .._logging import log_once, mask_userinfo, quoted
from ._schema import FIELDS, Field, check_settings, with_client_settings

T = TypeVar("T")


_RECORD_AS_JSON: Final = json.JSONEncoder(default=dict)
"""Writes the read-only mappings in a record, too."""


def write_record(key: str, record: Any) -> dict[str, str]:
    """Write the fields of a dataclass or named tuple under a key of the context."""
    return {key: _RECORD_AS_JSON.encode({name: getattr(record, name) for name in type(record).__annotations__})}


def read_record(context: Mapping[str, str], key: str, kind: Callable[..., T], what: str, **known: Any) -> T | None:
    """Read the record that a key of the context holds, or None where it is empty or missing.

    Args:
        context: Flyte's context.
        key: The key.
        kind: The class of the record, or what makes one of its fields.
        what: What it is called in an error.
        known: Fields that are known from elsewhere, which then need no key.

    Raises:
        SettingError: The text is none that `write_record` wrote; the message names key and text.
    """
    text = context.get(key)
    if not text and not known:
        return None
    try:
        return kind(**json.loads(text or "{}") | known)
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(f"{key}={quoted(text or '')} in Flyte's context is not a {what}: {error}") from error


class SettingsNamespace(NamedTuple):
    """The settings that share a prefix in Flyte's context.

    Attributes:
        prefix: What their keys start with.
        fields: Every setting by name.
        writer: The function that writes them, for messages.
    """

    prefix: str
    fields: Mapping[str, Field]
    writer: str

    def owns(self, key: str) -> bool:
        """Whether a key of the context is one of these settings, or was meant to be."""
        mine = key.startswith(self.prefix)
        return mine and (self.prefix == SWEEP_PREFIX or not key.startswith(SWEEP_PREFIX))


RUNS: Final = SettingsNamespace(prefix="wandb_", fields=FIELDS, writer="wandb_config")
SWEEP_PREFIX: Final = "wandb_sweep_"
"""What the keys of sweeps start with: the prefix of runs, too, and more."""


PACKED: Final = "kwargs"
"""Behind the prefix: the key into which flyteplugins-wandb packs what it has no key for, as JSON."""


def write_settings(settings: Mapping[str, Any], namespace: SettingsNamespace = RUNS) -> dict[str, str]:
    """Write checked settings as context keys ``wandb_<field>``.

    >>> write_settings({"project": "vision", "joinable": False})
    {'wandb_project': 'vision', 'wandb_joinable': 'false'}
    """
    return {f"{namespace.prefix}{name}": namespace.fields[name].encode(name, value) for name, value in settings.items()}


def read_settings(context: Mapping[str, str], namespace: SettingsNamespace = RUNS) -> dict[str, Any]:
    """Read the settings in a context. Keys of others are ignored, those with our prefix among them with one warning.

    Raises:
        SettingError: A value does not fit its field; the message names key and value.

    >>> read_settings({"wandb_project": "vision", "team": "a"})
    {'project': 'vision'}
    """
    found = {key.removeprefix(namespace.prefix): text for key, text in context.items() if namespace.owns(key)}
    packed = _read_packed(namespace, found.pop(PACKED, ""))
    if not found and not packed:
        return {}
    for name in (found | packed).keys() - namespace.fields.keys():
        log_once(
            f"the key '{namespace.prefix}{name}' in Flyte's context is not a setting of flyte-wandb and is ignored"
        )
    settings = {
        name: _read_setting(namespace, name, found[name]) if name in found else packed[name]
        for name in namespace.fields
        if name in found or name in packed
    }
    return with_client_settings(settings, "wandb_settings in Flyte's context") if namespace is RUNS else settings


def _read_packed(namespace: SettingsNamespace, text: str) -> dict[str, Any]:
    """Return the further settings that flyteplugins-wandb packs into one key, where it wrote the context."""
    if not text:
        return {}
    key = f"{namespace.prefix}{PACKED}"
    try:
        packed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingError(f"{key}={quoted(text)} in Flyte's context is not JSON: {error}") from error
    if not isinstance(packed, dict | None):
        kind = type(packed).__name__
        raise SettingError(f"{key}={quoted(text)} in Flyte's context is not a dict of settings but a {kind}")
    known = {name: value for name, value in (packed or {}).items() if name in namespace.fields}
    unknown = {name: value for name, value in (packed or {}).items() if name not in namespace.fields}
    return check_settings(known, f"{key} in Flyte's context", namespace.fields) | unknown


def _read_setting(namespace: SettingsNamespace, name: str, text: str) -> Any:
    field = namespace.fields[name]
    try:
        value = field.decode(text)
        fault = field.check(value)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise SettingError(
            f"{namespace.prefix}{name}={mask_userinfo(quoted(text))} in Flyte's context: {fault}; write it with "
            f"{namespace.writer}({name}=...)"
        )
    return value


PLACE_KEYS: Final = {f"{RUNS.prefix}{name}": f"{SWEEP_PREFIX}{name}" for name in ("project", "entity", "host")}
"""Context keys of the place of runs, each with the key of the place of sweeps."""


def with_sweep_place(context: Mapping[str, str]) -> dict[str, str]:
    """Return the context with the place of its sweeps, if it has one, as the place of runs."""
    return {**context, **{key: context[own] for key, own in PLACE_KEYS.items() if context.get(own)}}
