"""`sync_tensorboard`: W&B changes TensorBoard's writers for the whole process, and never puts them back (wandb 0.31).

Every later run of the process would drop the `step=` of its rows.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb

_lock = threading.Lock()
_syncing: set[int] = set()
"""The open runs that sync, by the id of their object, where it was one of them that changed the writers."""


def is_tensorboard_patched() -> bool:
    """Whether TensorBoard's writers are W&B's."""
    import wandb

    return bool(getattr(wandb, "patched", {}).get("tensorboard"))  # a stand-in of a user's test may have none


def note_tensorboard(run: wandb.Run, *, patched_before: bool) -> None:
    """Remember that a run has changed TensorBoard's writers, or that it needs those that another one has changed.

    Args:
        run: The run, which is open.
        patched_before: Whether they were W&B's before it was opened.
    """
    with _lock:
        if is_tensorboard_patched() and run.settings.sync_tensorboard and (_syncing or not patched_before):
            _syncing.add(id(run))


def restore_tensorboard(run: wandb.Run) -> None:
    """Put TensorBoard's own writers back where the last run that needed W&B's has ended."""
    with _lock:
        if id(run) not in _syncing:
            return
        from wandb.integration.tensorboard import unpatch

        _syncing.discard(id(run))
        if not _syncing and is_tensorboard_patched():  # else somebody has put them back
            unpatch()
