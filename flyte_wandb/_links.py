"""How many links a task has: one, or one per part of the world that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ._link import Wandb
from ._spec import Spec

MOST_LINKS: Final = 8
"""Links of one task. Where there are more parts, another link leads to the project's page."""


def links_of(spec: Spec) -> tuple[Wandb, ...]:
    """Return the links of a task: for each part of its declared world the page of the run, or group, of its first rank.

    Flyte fixes the number of links when the task is decorated, so settings from the context do not change it.

    Raises:
        HookError: A plugin cannot place a rank of the declared world.
    """
    parts = list(_parts(spec)) if spec.declared else []
    if len(parts) <= 1:
        return (Wandb(spec=spec),)
    links = tuple(Wandb(name=f"{Wandb.name} {label}", spec=spec, rank=rank) for rank, label in parts[:MOST_LINKS])
    return links if len(parts) <= MOST_LINKS else (*links, Wandb(name=f"{Wandb.name} (all)", spec=spec, rank=None))


def _parts(spec: Spec) -> Iterator[tuple[int, str]]:
    """Yield the first rank and the label of each part, until the parts fill the world or are too many for links.

    This runs wherever the task is decorated, every rank included: it costs the same for any world.
    """
    from ._plan import located, world
    from ._requests import placeholder_request

    seen: set[str | None] = set()
    ranks = 0
    for request in world(placeholder_request(spec)):
        part = located(request)
        if part.label not in seen:
            seen.add(part.label)
            ranks += part.size
            yield request.topology.rank, (part.label or "").replace("-", " ")
        if ranks >= request.topology.world_size or len(seen) > MOST_LINKS:
            return
