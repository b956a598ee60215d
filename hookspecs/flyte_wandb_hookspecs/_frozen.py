"""Read-only copies of nested mappings and sequences, so that no hook can change what the next one is given."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def frozen_copy(value: Any) -> Any:
    """Return `value` with every mapping made read-only and every list made a tuple, at any depth.

    >>> frozen_copy({"lr": [0.1, 0.2]})
    mappingproxy({'lr': (0.1, 0.2)})
    """
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen_copy(item) for key, item in value.items()})
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return tuple(frozen_copy(item) for item in value)
    return value


def plain_copy(value: Any) -> Any:
    """Return `value` with every mapping as a plain dict, at any depth: what `wandb.init` and pickle accept.

    >>> plain_copy(frozen_copy({"model": {"layers": 2}}))
    {'model': {'layers': 2}}
    """
    if isinstance(value, Mapping):
        return {key: plain_copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(plain_copy(item) for item in value)
    return value
