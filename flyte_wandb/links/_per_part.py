"""How many links a task has: one, or one per part of the world that it declares."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from ..plans._spec import Spec
from ._link import NAME, Wandb

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Part

MOST_LINKS: Final = 8
"""Links to parts of one task. Where there are more parts, one more link leads to what they have in common."""

MOST_SCANNED: Final = 128
"""Ranks that are looked at to find the parts of a world."""


def build_task_links(spec: Spec) -> tuple[Wandb, ...]:
    """Return the links of a task: for each part of its declared world the page of its leader's run or group.

    Flyte fixes the number of links when the task is decorated, so settings from the context do not change it. This runs
    wherever the task is decorated, every rank included: it costs the same for any world.

    Raises:
        HookError: A plugin cannot place a rank of the declared world.
    """
    leaders = _find_leaders(spec) if spec.declared else {}
    all_found = not spec.declared or _sum_sizes(leaders) >= spec.declared.world_size
    if len(leaders) <= 1 and all_found:
        return (Wandb(spec=spec),)
    shown = sorted(leaders)[:MOST_LINKS]
    links = tuple(Wandb(name=_link_name(leaders[rank]), spec=spec, rank=rank) for rank in shown)
    complete = all_found and len(shown) == len(leaders)
    return links if complete else (*links, Wandb(name=f"{NAME} (all)", spec=spec, rank=None))


def _link_name(part: Part) -> str:
    return f"{NAME} {(part.label or '').replace('-', ' ')}".rstrip()


def _find_leaders(spec: Spec) -> dict[int, Part]:
    """Return the leader's rank of each part with the part, until they fill the world or are more than get links.

    Behind a part comes the next one's leader if parts are contiguous; if they are not, the first ranks have them.
    """
    from ..plans._plan import locate_part
    from ..plans._request import build_placeholder_request

    assert spec.declared is not None
    size = spec.declared.world_size
    leaders: dict[int, Part] = {}
    scanned: set[int] = set()
    next_guess = 0
    while len(scanned) < min(MOST_SCANNED, size) and len(leaders) <= MOST_LINKS and _sum_sizes(leaders) < size:
        rank = next_guess if next_guess < size and next_guess not in scanned else _first_unscanned(scanned)
        scanned.add(rank)
        part = locate_part(build_placeholder_request(spec, rank))
        if part.leads and all(part.label != other.label for other in leaders.values()):
            leaders[rank] = part
            next_guess = rank + part.size
    return leaders


def _first_unscanned(scanned: set[int]) -> int:
    return next(rank for rank in itertools.count() if rank not in scanned)


def _sum_sizes(leaders: dict[int, Part]) -> int:
    return sum(part.size for part in leaders.values())
