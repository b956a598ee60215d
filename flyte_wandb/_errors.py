"""Every error that flyte-wandb raises on purpose.

::

    FlyteWandbError
    +-- PluginError        a plugin cannot be loaded or registered
    +-- HookError          a plugin failed in a hook, or its answer cannot be used
    |   +-- RefusedError   a plugin rejected the plan on purpose
    +-- UnansweredError    no plugin made a decision
    +-- SettingError       a setting of wandb_init or wandb_config cannot be used
    +-- RunInUseError      two actions of one process use the same run id
    +-- OpenRunError       W&B did not open the run
    +-- RunStoppedError    the run was stopped in W&B's UI
    +-- SweepError         a sweep cannot be created, found or run (a RuntimeError, too)
    +-- DownloadError      a run or sweep cannot be downloaded from W&B (a RuntimeError, too)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._outcomes import TrialOutcomes


class FlyteWandbError(Exception):
    """Base of all errors of this package."""


class PluginError(FlyteWandbError):
    """A plugin cannot be loaded or registered."""


class HookError(FlyteWandbError):
    """A plugin failed in a hook, or gave an answer that cannot be used.

    Args:
        message: What happened.
        plugin: See the attribute.

    Attributes:
        plugin: Name of the plugin at fault, or None where it is not known.

    >>> HookError("plugin 'acme' failed in compute_run_id: KeyError: 'team'", plugin="acme").plugin
    'acme'
    """

    def __init__(self, message: str, *, plugin: str | None = None) -> None:
        super().__init__(message)
        self.plugin = plugin


class RefusedError(HookError):
    """A plugin rejected the plan on purpose (see `flyte_wandb.PlanRefusedError`)."""


class UnansweredError(FlyteWandbError):
    """No plugin made a decision: the run mode or rank scope is unknown, or a plugin is missing."""


class SettingError(FlyteWandbError, ValueError):
    """A setting of `wandb_init` or `wandb_config` cannot be used."""


class RunInUseError(FlyteWandbError):
    """Two actions of one process use the same run id at the same time."""


class OpenRunError(FlyteWandbError):
    """W&B did not open the run."""


class RunStoppedError(FlyteWandbError):
    """The run was stopped in W&B's UI, which ends its task."""

    def __init__(self, message: str = "the run was stopped in W&B's UI") -> None:
        super().__init__(message)


class SweepError(FlyteWandbError, RuntimeError):
    """A sweep cannot be created, found or run.

    Attributes:
        trials: The outcomes of the trials that had ended by then.
    """

    trials: TrialOutcomes | tuple[()] = ()


class DownloadError(FlyteWandbError, RuntimeError):
    """A run or sweep cannot be downloaded from W&B.

    Args:
        message: What happened.
        downloaded: See the attribute.

    Attributes:
        downloaded: Paths or addresses of the runs that were downloaded completely, in the order of the sweep.

    >>> DownloadError("1 of 2 runs were not downloaded", downloaded=["sweep/r1"]).downloaded
    ('sweep/r1',)
    """

    def __init__(self, message: str, *, downloaded: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.downloaded = tuple(downloaded)
