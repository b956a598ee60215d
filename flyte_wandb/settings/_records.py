"""Records as they travel from task to task: each is one key of Flyte's context, with JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from flyte_wandb_hookspecs import plain_copy

from .._errors import SettingError

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
