"""Which sweep a task works for, as it travels from task to task in Flyte's context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .._place import Place
from ..settings._records import read, written

SWEEP_ID_KEY: Final = "_wandb_sweep_id"
SWEEP_KEY: Final = "_wandb_sweep"


@dataclass(frozen=True, kw_only=True)
class SweepRef:
    """A sweep of W&B.

    Attributes:
        sweep_id: W&B's id of it.
        project: Its project, or None where only the id is known.
        entity: Its entity, or None where only the id is known.
        host: The server that keeps it (as people know it), or None for the client's own.
    """

    sweep_id: str
    project: str | None = None
    entity: str | None = None
    host: str | None = None

    @property
    def place(self) -> Place:
        """Where the sweep lives."""
        return Place(project=self.project, entity=self.entity, host=self.host)


def written_sweep(sweep: SweepRef) -> dict[str, str]:
    """Write a sweep for the tasks below the one that made it."""
    return {SWEEP_ID_KEY: sweep.sweep_id, **written(SWEEP_KEY, sweep)}


def read_sweep(context: Mapping[str, str]) -> SweepRef | None:
    """Read the sweep above, or None. A bare ``_wandb_sweep_id`` is enough.

    >>> read_sweep({"_wandb_sweep_id": "s1"})
    SweepRef(sweep_id='s1', project=None, entity=None, host=None)
    """
    sweep_id = context.get(SWEEP_ID_KEY)
    return read(context, SWEEP_KEY, SweepRef, "sweep", sweep_id=sweep_id) if sweep_id else None
