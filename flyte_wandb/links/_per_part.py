"""How many links a task has: one, or one per part of the world that it declares."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from ..plans._spec import Spec
from ._link import NAME, Wandb

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Part

MOST_LINKS: Final = 8
"""Links to parts of one task, at most. If there are more parts, one more link leads to what they have in common."""

MOST_SCANNED: Final = 128
"""Ranks that are looked at to find the parts of a world."""


def build_task_links(spec: Spec) -> tuple[Wandb, ...]:
    """Return the links of a task: one for each part of its declared world, to the run or group of the part's leader.

    Flyte fixes the number of links when the task is decorated, so settings in the context do not change it. Every rank
    decorates its tasks, so this costs the same for any world.

    Raises:
        HookError: A plugin cannot place a rank of the declared world.
    """
    leaders = _find_leaders(spec) if spec.declared else {}
    fill_world = not spec.declared or _sum_sizes(leaders) >= spec.declared.world_size
    if len(leaders) <= 1 and fill_world:
        return (Wandb(spec=spec),)
    linked = sorted(leaders)[:MOST_LINKS]
    links = tuple(Wandb(name=_link_name(leaders[rank]), spec=spec, rank=rank) for rank in linked)
    if fill_world and len(linked) == len(leaders):
        return links
    return (*links, Wandb(name=f"{NAME} (all)", spec=spec, rank=None))


def _link_name(part: Part) -> str:
    return f"{NAME} {(part.label or '').replace('-', ' ')}".rstrip()


def _find_leaders(spec: Spec) -> dict[int, Part]:
    """Return the parts of the declared world by the rank of their leader: all of them, or one more than get links.

    In a contiguous world the rank behind a part leads the next one, so that rank is tried first. If parts are not
    contiguous, their leaders are among the first ranks or, as with a last pipeline stage, among the last ones.
    """
    from ..plans._plan import locate_part
    from ..plans._request import build_placeholder_request

    assert spec.declared is not None
    size = spec.declared.world_size
    leaders: dict[int, Part] = {}
    scanned: set[int] = set()
    behind_last_part = 0
    from_both_ends = itertools.chain(range(min(MOST_SCANNED // 2, size)), reversed(range(size)))
    # One leader more than there are links shows that a link to all is needed.
    while len(scanned) < min(MOST_SCANNED, size) and len(leaders) <= MOST_LINKS and _sum_sizes(leaders) < size:
        rank = behind_last_part
        if rank >= size or rank in scanned:
            rank = next(rank for rank in from_both_ends if rank not in scanned)
        scanned.add(rank)
        part = locate_part(build_placeholder_request(spec, rank))
        # A plugin may say of two ranks that they lead one part; it gets one link all the same.
        if part.leads and all(part.label != other.label for other in leaders.values()):
            leaders[rank] = part
            behind_last_part = rank + part.size
    return leaders


def _sum_sizes(leaders: dict[int, Part]) -> int:
    return sum(part.size for part in leaders.values())
