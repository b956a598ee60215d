"""Where a run or sweep lives: server, entity and project."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """Server, entity and project of a run; None leaves each to the client's own configuration."""

    project: str | None
    entity: str | None
    host: str | None
