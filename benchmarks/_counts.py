"""How often everything is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Repetitions of each benchmark.

    Attributes:
        imports: Fresh interpreters per import.
        batches: Batches of `plan()` for one rank.
        batch: Calls per batch.
        worlds: Whole worlds per run mode.
        ranks: Ranks of a world.
        outside: Pairs of runs outside of Flyte.
        inside: Pairs of runs inside a Flyte task.
        crowds: Crowds of concurrent children per arm.
        children: Children of a crowd.
        skips: Ranks that skip, per arm.
        openings: Worlds of two nodes with two ranks, per arm.
        decorations: Tasks that are decorated, per world.
        starts: Fresh interpreters per first decoration and per preview.
        downloads: Downloads per arm.
        reports: Reports per length of a history.
    """

    imports: int
    batches: int
    batch: int
    worlds: int
    ranks: int
    outside: int
    inside: int
    crowds: int
    children: int
    skips: int
    openings: int
    decorations: int
    starts: int
    downloads: int
    reports: int


FULL: Final = Counts(
    imports=30,
    batches=50,
    batch=200,
    worlds=10,
    ranks=100_000,
    outside=200,
    inside=200,
    crowds=12,
    children=50,
    skips=15,
    openings=10,
    decorations=200,
    starts=10,
    downloads=5,
    reports=5,
)
QUICK: Final = Counts(
    imports=3,
    batches=10,
    batch=50,
    worlds=1,
    ranks=100_000,
    outside=10,
    inside=10,
    crowds=2,
    children=50,
    skips=2,
    openings=2,
    decorations=10,
    starts=2,
    downloads=1,
    reports=1,
)
