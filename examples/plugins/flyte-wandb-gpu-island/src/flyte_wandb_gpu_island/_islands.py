"""Which island a rank is on."""

from __future__ import annotations

from typing import Final

from flyte_wandb import Part, Topology

NAME: Final = "island"
"""The rank scope's name, and what the labels of its parts start with."""


def island_of(topology: Topology, size: int) -> Part:
    """Return the part of a rank: ``island-<n>``, or the whole world (no label) where there is only one island.

    Args:
        topology: The rank. Islands count ranks of the whole world, so one may reach over several nodes.
        size: Ranks of each island, 1 to the world's size, which it divides.

    >>> island_of(Topology(rank=5, world_size=8), 4)
    Part(label='island-1', index=1, size=4)
    >>> island_of(Topology(rank=5, world_size=8), 8)
    Part(label=None, index=5, size=8)
    """
    island, index = divmod(topology.rank, size)
    only_one = size == topology.world_size
    return Part(label=None if only_one else f"{NAME}-{island}", index=index, size=size)
