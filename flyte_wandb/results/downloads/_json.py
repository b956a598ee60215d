"""JSON that every reader takes. Numbers that JSON does not have become the texts that W&B uses, such as "NaN"."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def format_row(row: Mapping[str, Any]) -> bytes:
    """Return a row of history or metrics as one line: its step, then the keys in their order.

    >>> format_row({"loss": float("nan"), "_step": 3})
    b'{"_step": 3, "loss": "NaN"}\\n'
    """
    step = {"_step": row["_step"]} if "_step" in row else {}
    return _to_json({**step, **dict(sorted(row.items()))}).encode() + b"\n"


def format_document(value: Any) -> bytes:
    """Return a whole document, indented for people."""
    return _to_json(value, indent=2).encode() + b"\n"


def _to_json(value: Any, indent: int | None = None) -> str:
    # As it is first: most rows have no such number and need no copy.
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_to_plain(value), indent=indent, allow_nan=False)


def _to_plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return [_to_plain(item) for item in value] if isinstance(value, list) else value
