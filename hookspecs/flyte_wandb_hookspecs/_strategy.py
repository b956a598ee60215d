"""Names of run modes and rank scopes, and the argument that a name may carry after a colon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


def strategy_name(setting: str) -> str:
    """Return the declared name of a strategy setting: the part before the first colon.

    >>> strategy_name("island:4")
    'island'
    """
    return setting.partition(":")[0]


def strategy_argument(setting: str) -> str | None:
    """Return what follows the first colon of a strategy setting, or None where there is no colon.

    >>> strategy_argument("island:4"), strategy_argument("worker")
    ('4', None)
    """
    _, colon, argument = setting.partition(":")
    return argument if colon else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One run mode or rank scope that a plugin brings, as `list_strategies` declares it.

    Attributes:
        kind: ``"run_mode"`` or ``"rank_scope"``.
        name: What users write, without an argument: ``"island"`` for ``rank_scope="island:4"``.
        summary: One line for listings and error messages.

    >>> Strategy(kind="rank_scope", name="island", summary="one part per NVLink island").name
    'island'
    """

    kind: Literal["run_mode", "rank_scope"]
    name: str
    summary: str
