"""What a decorator knows of its task, in the form in which it travels to every rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import Topology


# Plain data only: Elastic pickles the wrapped function for every rank, and with it this (flyte 2.12.1).
@dataclass(frozen=True, kw_only=True)
class Spec:
    """The settings of one `wandb_init`, checked. Frozen and picklable: cloudpickle carries it to the ranks.

    Attributes:
        settings: The settings that the decorator sets.
        task_name: Full name of the Flyte task, or None for a plain function.
        declared: Rank 0 of the world that the task's environment declares, or None for a task of one process.
        outermost: Whether the decorator is above Flyte's, so that the task has links.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    task_name: str | None = None
    declared: Topology | None = None
    outermost: bool = True
