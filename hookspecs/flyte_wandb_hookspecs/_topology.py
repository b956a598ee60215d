"""Where one process stands among the processes of its task."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One rank's place in the world that a launcher started.

    Attributes:
        rank: This process among all of the task, 0 to `world_size` - 1.
        world_size: Processes of the task, at least 1.
        local_rank: This process among those of its node, 0 to `local_world_size` - 1.
        local_world_size: Processes of *this* node, at least 1. Nodes may differ (ragged worlds).
        worker_index: This node (worker) among those of the task, 0 to `num_workers` - 1.
        num_workers: Nodes of the task, at least 1 and at most `world_size`.
        launcher: Who started this process, or None for a process that nobody launched as a rank.
        restart_count: How often the launcher has restarted the group, 0 for the first start.

    Raises:
        ValueError: A rank lies outside its world; the message names the field, its value and the allowed range.

    >>> Topology(rank=5, world_size=8, local_rank=1, local_world_size=4, worker_index=1, num_workers=2).distributed
    False
    >>> Topology(rank=8, world_size=8)
    Traceback (most recent call last):
        ...
    ValueError: rank 8 is outside its world: 0 to 7 fit, because world_size is 8
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    worker_index: int = 0
    num_workers: int = 1
    launcher: str | None = None
    restart_count: int = 0

    def __post_init__(self) -> None:
        _inside("rank", self.rank, "world_size", self.world_size)
        _inside("local_rank", self.local_rank, "local_world_size", self.local_world_size)
        _inside("worker_index", self.worker_index, "num_workers", self.num_workers)
        _at_most("local_world_size", self.local_world_size, self.world_size)
        _at_most("num_workers", self.num_workers, self.world_size)
        if self.restart_count < 0:
            raise ValueError(f"restart_count {self.restart_count} is negative; the first start counts as 0")

    @property
    def distributed(self) -> bool:
        """Whether a launcher started this process as a rank (true also for a world of one rank)."""
        return self.launcher is not None


def _inside(field: str, value: int, world_field: str, size: int) -> None:
    if size < 1:
        raise ValueError(f"{world_field} {size} is too small; a world has at least 1 process")
    if not 0 <= value < size:
        raise ValueError(f"{field} {value} is outside its world: 0 to {size - 1} fit, because {world_field} is {size}")


def _at_most(field: str, value: int, world_size: int) -> None:
    if value > world_size:
        raise ValueError(f"{field} {value} is larger than the whole world (world_size is {world_size})")
