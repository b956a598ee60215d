"""Pickles of a run's configuration and settings: the values, without what ties them to this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb


def run_config(run: wandb.Run) -> Any:
    """Return the configuration of a run. W&B's `run.config` enters two contexts, for its log, with each reading."""
    config = getattr(run, "_config", None)
    return run.config if config is None else config


class LeftBehind:
    """A function that a pickle leaves behind: None comes back in its place, also where this package is not installed.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(LeftBehind(print))) is None
    True
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function

    def __call__(self) -> None:
        """Call the function."""
        self._function()

    def __deepcopy__(self, memo: object) -> LeftBehind:
        """Return this very one: W&B copies a run's settings, and with them its `stop_fn`, whenever they are read."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A run's settings are pickled where a task's function keeps the run or hands it to a worker.
        return type(None), ()


def pickle_config_by_value(run: wandb.Run) -> None:
    """Make the pickle of a run's configuration one of its values, which loads in any process that has wandb.

    W&B's own pickle holds the whole run and cannot be loaded: `Config.__getattr__` recurses while there are no items
    (wandb 0.31). Pickle, cloudpickle and copy ask the object for `__reduce_ex__` before its class.
    """
    config: Any = run_config(run)

    def reduce(protocol: int) -> tuple[Any, ...]:
        items: Iterator[tuple[str, Any]] = iter(config.items())
        return type(config), (), None, None, items

    # Past `Config.__setattr__`, which would make it a key of the configuration.
    object.__setattr__(config, "__reduce_ex__", reduce)
