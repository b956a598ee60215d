"""Worlds of ranks to plan for: their topologies, and a collection of shapes."""

from __future__ import annotations

import random
from typing import Final

from flyte_wandb_hookspecs import Topology


def world_of(*nodes: int, launcher: str = "torch-elastic") -> list[Topology]:
    """Return every rank of a world of nodes with this many ranks each.

    Args:
        nodes: Ranks of each node, 1 or more. They may differ: a ragged world.
        launcher: Who started the ranks.

    >>> [(topology.rank, topology.worker_index, topology.local_rank) for topology in world_of(2, 1)]
    [(0, 0, 0), (1, 0, 1), (2, 1, 0)]
    """
    places = [(worker, local_rank) for worker, size in enumerate(nodes) for local_rank in range(size)]
    return [
        Topology(
            rank=rank,
            world_size=len(places),
            local_rank=local_rank,
            local_world_size=nodes[worker],
            worker_index=worker,
            num_workers=len(nodes),
            launcher=launcher,
        )
        for rank, (worker, local_rank) in enumerate(places)
    ]


def _random_shapes(count: int, seed: int) -> list[tuple[int, ...]]:
    draw = random.Random(seed)
    return [tuple(draw.randint(1, 9) for _ in range(draw.randint(2, 6))) for _ in range(count)]


SHAPES: Final[tuple[tuple[int, ...], ...]] = (
    (1,),
    (2,),
    (8,),
    (1, 1),
    (2, 2),
    (4, 4, 4),
    (8, 8),
    (16, 16, 16, 16),
    (10,) * 10,
    (2, 1),
    (1, 7),
    (3, 5, 8),
    (4, 2, 3),
    *_random_shapes(11, seed=1),
)
"""Ranks of each node: round numbers, ragged nodes, and some drawn at random once and for all."""
