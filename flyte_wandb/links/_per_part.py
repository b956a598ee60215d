"""How many links a task has: one, or one per part of the world that it declares."""

from __future__ import annotations

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
    found: dict[int, Part] = {}
    tried: set[int] = set()
    in_order = (rank for rank in range(size) if rank not in tried)
    behind = 0
    while len(tried) < min(MOST_SCANNED, size) and len(found) <= MOST_LINKS and _sum_sizes(found) < size:
        rank = behind if behind < size and behind not in tried else next(in_order)
        tried.add(rank)
        part = locate_part(build_placeholder_request(spec, rank))
        if part.leads and all(part.label != other.label for other in found.values()):
            found[rank] = part
            behind = rank + part.size
    return found


def _sum_sizes(found: dict[int, Part]) -> int:
    return sum(part.size for part in found.values())
