"""Small functions that the contract and its plugins share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote


def frozen_copy(value: Any) -> Any:
    """Return `value` with every mapping made read-only and every list made a tuple, at any depth.

    >>> frozen_copy({"lr": [0.1, 0.2]})
    mappingproxy({'lr': (0.1, 0.2)})
    """
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen_copy(item) for key, item in value.items()})
    # A subclass such as a namedtuple stays as it is: its constructor takes other arguments.
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return tuple(frozen_copy(item) for item in value)
    return value


def plain_copy(value: Any) -> Any:
    """Return `value` with every mapping as a plain dict, at any depth. `wandb.init` and pickle take no other mapping.

    >>> plain_copy(frozen_copy({"model": {"layers": 2}}))
    {'model': {'layers': 2}}
    """
    if isinstance(value, Mapping):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(plain_copy(item) for item in value)
    return value


_PLACEHOLDER: Final = re.compile(r"(\{\{\.\w+\}\})")
"""A name that Flyte fills in later. The group keeps it in what `split` returns."""


def quote_segment(name: str) -> str:
    """Percent-encode `name` as one segment of a URL path, but for placeholders such as ``{{.runName}}``.

    Flyte fills in the placeholders after the link was built. It does not find them when they are encoded.

    >>> quote_segment("team a/{{.runName}}-{{.actionName}}")
    'team%20a%2F{{.runName}}-{{.actionName}}'
    """
    return "".join(
        piece if _PLACEHOLDER.fullmatch(piece) else quote(piece, safe="") for piece in _PLACEHOLDER.split(name)
    )
