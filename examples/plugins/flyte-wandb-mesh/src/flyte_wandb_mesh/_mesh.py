"""A mesh of ranks, and the part of it that a rank belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from flyte_wandb import Part


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A device mesh, cut into parts.

    Attributes:
        sizes: Size of each dimension, 1 or more, by name. In rank order: the last one changes from rank to rank.
        per: Dimensions with a part for each index. None of them: the whole mesh is one part.
        lead: Where a part's leader stands along the other dimensions. An index of 0 where there is no entry.
    """

    sizes: Mapping[str, int]
    per: tuple[str, ...] = ()
    lead: Mapping[str, int] = field(default_factory=dict)


def locate_in_mesh(mesh: Mesh, rank: int, world_size: int) -> Part:
    """Return the part of a rank. Its leader has index 0; the others follow in rank order, the first after the last.

    Args:
        mesh: The mesh.
        rank: 0 to `world_size` - 1.
        world_size: As many ranks as the mesh has.

    Raises:
        ValueError: The mesh has another number of ranks.

    >>> mesh = Mesh(sizes={"pp": 2, "dp": 2}, per=("dp",), lead={"pp": 1})
    >>> locate_in_mesh(mesh, rank=1, world_size=4)
    Part(label='dp-1', index=1, size=2)
    >>> locate_in_mesh(mesh, rank=3, world_size=4)
    Part(label='dp-1', index=0, size=2)
    """
    _check_world_size(mesh, world_size)
    place = _unravel(rank, mesh.sizes)
    within = {name: size for name, size in mesh.sizes.items() if name not in mesh.per}
    size = math.prod(within.values())
    label = "-".join(f"{name}-{place[name]}" for name in mesh.per)
    behind_leader = _ravel(place, within) - _ravel(mesh.lead, within)
    return Part(label=None if size == world_size else label, index=behind_leader % size, size=size)


def _check_world_size(mesh: Mesh, world_size: int) -> None:
    ranks = math.prod(mesh.sizes.values())
    if ranks != world_size:
        product = " x ".join(map(str, mesh.sizes.values()))
        raise ValueError(
            f"this mesh has {product} = {ranks} ranks, and the world has {world_size}; the sizes must multiply to "
            f"{world_size}"
        )


def _unravel(rank: int, sizes: Mapping[str, int]) -> dict[str, int]:
    place = {}
    for name, size in reversed(tuple(sizes.items())):
        rank, place[name] = divmod(rank, size)
    return place


def _ravel(place: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    rank = 0
    for name, size in sizes.items():
        rank = rank * size + place.get(name, 0)
    return rank
