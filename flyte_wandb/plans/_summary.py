"""The plans of a world, summed up by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flyte_wandb_hookspecs import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSummary:
    """What the ranks of one part do, as people read it.

    Attributes:
        label: The part's label; None for the whole world.
        first: Its first rank.
        ranks: Its ranks, such as ``0-7``.
        roles: How many of them have which role.
        runs: The first id of their runs and how many more there are, or None if they have no runs.
        groups: Their groups. Two of them are named. Empty if they have no groups.
    """

    label: str | None
    first: int
    ranks: str
    roles: str
    runs: str | None
    groups: str


def summarize_parts(plans: Sequence[Plan]) -> list[PartSummary]:
    """Sum up plans by part, in the order of the parts' first ranks.

    Args:
        plans: The plans of the ranks from 0 on, in their order.
    """
    ranks: dict[str | None, list[int]] = {}
    for rank, plan in enumerate(plans):
        ranks.setdefault(plan.part.label, []).append(rank)
    return [_summarize_part(label, members, [plans[rank] for rank in members]) for label, members in ranks.items()]


def _summarize_part(label: str | None, ranks: list[int], plans: list[Plan]) -> PartSummary:
    # Dicts rather than sets: the order is that of the ranks, on every machine.
    roles = Counter(plan.role.value for plan in plans)
    runs = list(dict.fromkeys(plan.run_id for plan in plans if plan.run_id))
    groups = list(dict.fromkeys(plan.group for plan in plans if plan.group))
    return PartSummary(
        label=label,
        first=ranks[0],
        ranks=_rank_range(ranks),
        roles=", ".join(f"{count:,} {role}" for role, count in roles.items()),
        runs=f"{runs[0]} and {len(runs) - 1:,} more" if len(runs) > 1 else runs[0] if runs else None,
        groups=", ".join(groups[:2]) + (", ..." if len(groups) > 2 else ""),
    )


def _rank_range(ranks: list[int]) -> str:
    if len(ranks) == 1:
        return str(ranks[0])
    if ranks[-1] - ranks[0] == len(ranks) - 1:
        return f"{ranks[0]}-{ranks[-1]}"
    # A part need not be contiguous: under a plugin's rank scope its ranks may lie anywhere in the world.
    return f"{ranks[0]}, {ranks[1]}, ... ({len(ranks):,})"
