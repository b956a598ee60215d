"""Settings and records as they travel from task to task in Flyte's context, which carries texts only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from flyte_wandb_hookspecs import plain_copy

from .._errors import SettingError
from .._logging import say_once
from ._schema import FIELDS, Field, with_client_settings
from ._sweep_schema import SWEEP_FIELDS

T = TypeVar("T")


def written(key: str, record: Any) -> dict[str, str]:
    """Write a dataclass under a key of the context."""
    return {key: json.dumps({field.name: plain_copy(getattr(record, field.name)) for field in fields(record)})}


def read(context: Mapping[str, str], key: str, kind: type[T], what: str, **known: Any) -> T | None:
    """Read the dataclass that a key of the context holds, or None where it is empty or missing.

    Args:
        context: Flyte's context.
        key: The key.
        kind: The dataclass.
        what: What it is called in an error.
        known: Fields that are known from elsewhere, which then need no key.

    Raises:
        SettingError: The text is none that `written` wrote; the message names key and text.
    """
    text = context.get(key)
    if not text and not known:
        return None
    try:
        return kind(**json.loads(text or "{}") | known)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{key}={text!r} in Flyte's context is not a {what}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
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
        return mine and not any(key.startswith(other.prefix) for other in _INSIDE.get(self.prefix, ()))


RUNS: Final = Vocabulary(prefix="wandb_", fields=FIELDS, writer="wandb_config")
SWEEPS: Final = Vocabulary(prefix="wandb_sweep_", fields=SWEEP_FIELDS, writer="wandb_sweep_config")
_INSIDE: Final = {RUNS.prefix: (SWEEPS,)}
"""Prefixes that start with another one."""


def written_settings(settings: Mapping[str, Any], words: Vocabulary = RUNS) -> dict[str, str]:
    """Write checked settings as context keys ``wandb_<field>``.

    >>> written_settings({"project": "vision", "joinable": False})
    {'wandb_project': 'vision', 'wandb_joinable': 'false'}
    """
    return {f"{words.prefix}{name}": words.fields[name].encode(name, value) for name, value in settings.items()}


def read_settings(context: Mapping[str, str], words: Vocabulary = RUNS) -> dict[str, Any]:
    """Read the settings in a context. Keys of others are ignored, those with our prefix among them with one warning.

    Raises:
        SettingError: A value does not fit its field; the message names key and value.

    >>> read_settings({"wandb_project": "vision", "team": "a"})
    {'project': 'vision'}
    """
    found = {key.removeprefix(words.prefix): text for key, text in context.items() if words.owns(key)}
    for name in found.keys() - words.fields.keys():
        say_once(f"the key '{words.prefix}{name}' in Flyte's context is none of flyte-wandb's settings and is ignored")
    settings = {name: _read(words, name, found[name]) for name in words.fields if name in found}
    return with_client_settings(settings, "wandb_settings in Flyte's context") if words is RUNS else settings


def _read(words: Vocabulary, name: str, text: str) -> Any:
    field = words.fields[name]
    try:
        value = field.decode(text)
        fault = field.check(value)
    except ValueError as error:
        fault = str(error)
    if fault:
        raise SettingError(
            f"{words.prefix}{name}={text!r} in Flyte's context: {fault}; write it with {words.writer}({name}=...)"
        )
    return value


_PLACE_KEYS: Final = {f"{RUNS.prefix}{name}": f"{SWEEPS.prefix}{name}" for name in ("project", "entity", "host")}
"""Context keys that say where runs live, each with the one that says where sweeps do."""


def _sweep_context(context: Mapping[str, str]) -> dict[str, str]:
    """Return the context with the place of sweeps, where it has one of its own, in that of runs."""
    return {**context, **{key: context[own] for key, own in _PLACE_KEYS.items() if context.get(own)}}
