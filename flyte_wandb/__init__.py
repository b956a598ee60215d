"""Weights & Biases for Flyte 2: `@wandb_init` opens the right runs, and plugins decide what "right" means.

Everything that users and plugin authors need is imported from here, and loaded when it is asked for: a task's module
pays for `wandb_init` and not for the contract, and pytest, which imports this package wherever it is installed, for
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte_wandb_hookspecs import (
        Group,
        HookSpecs,
        ParentRun,
        Part,
        Plan,
        PlanRefusedError,
        Request,
        Role,
        Settings,
        Step,
        Strategy,
        Topology,
        Trial,
        hookimpl,
        quote_segment,
        strategy_argument,
        strategy_name,
    )

    from ._errors import (
        DownloadError,
        FlyteWandbError,
        HookError,
        OpenRunError,
        PluginError,
        RefusedError,
        RunInUseError,
        RunStoppedError,
        SettingError,
        SweepError,
        UnansweredError,
    )
    from ._outcomes import SyncOutcome, TrialError, TrialOutcome, TrialOutcomes
    from .links._link import Wandb, WandbSweep
    from .plans._plan import plan
    from .plugins._loading import use_plugin
    from .plugins._manager import StrategyManager
    from .results.downloads._to_folder import download_wandb_run_dir, download_wandb_sweep_dirs
    from .results.downloads._to_storage import download_wandb_run_logs, download_wandb_sweep_logs
    from .results.offline._sync import sync_wandb_runs, sync_wandb_runs_async
    from .runs._getters import get_distributed_info, get_wandb_run, get_wandb_run_dir, get_wandb_sweep_id
    from .settings._config import (
        WandbConfig,
        WandbSweepConfig,
        get_wandb_context,
        get_wandb_sweep_context,
        wandb_config,
        wandb_sweep_config,
    )
    from .settings._schema import RankScope, RunMode
    from .sweeps._decorator import wandb_sweep
    from .sweeps._run_sweep import run_sweep
    from .tasks._decorator import wandb_init
    from .tasks._preview import LinkPreview, Preview, preview

    __version__: str

__all__ = [
    "DownloadError",
    "FlyteWandbError",
    "Group",
    "HookError",
    "HookSpecs",
    "LinkPreview",
    "OpenRunError",
    "ParentRun",
    "Part",
    "Plan",
    "PlanRefusedError",
    "PluginError",
    "Preview",
    "RankScope",
    "RefusedError",
    "Request",
    "Role",
    "RunInUseError",
    "RunMode",
    "RunStoppedError",
    "SettingError",
    "Settings",
    "Step",
    "Strategy",
    "StrategyManager",
    "SweepError",
    "SyncOutcome",
    "Topology",
    "Trial",
    "TrialError",
    "TrialOutcome",
    "TrialOutcomes",
    "UnansweredError",
    "Wandb",
    "WandbConfig",
    "WandbSweep",
    "WandbSweepConfig",
    "download_wandb_run_dir",
    "download_wandb_run_logs",
    "download_wandb_sweep_dirs",
    "download_wandb_sweep_logs",
    "get_distributed_info",
    "get_wandb_context",
    "get_wandb_run",
    "get_wandb_run_dir",
    "get_wandb_sweep_context",
    "get_wandb_sweep_id",
    "hookimpl",
    "plan",
    "preview",
    "quote_segment",
    "run_sweep",
    "strategy_argument",
    "strategy_name",
    "sync_wandb_runs",
    "sync_wandb_runs_async",
    "use_plugin",
    "wandb_config",
    "wandb_init",
    "wandb_sweep",
    "wandb_sweep_config",
]

# Where the names live that are loaded on first use; those that are not here are the contract's.
_HOMES = {
    "DownloadError": "flyte_wandb._errors",
    "FlyteWandbError": "flyte_wandb._errors",
    "HookError": "flyte_wandb._errors",
    "OpenRunError": "flyte_wandb._errors",
    "PluginError": "flyte_wandb._errors",
    "RefusedError": "flyte_wandb._errors",
    "RunInUseError": "flyte_wandb._errors",
    "RunStoppedError": "flyte_wandb._errors",
    "SettingError": "flyte_wandb._errors",
    "SweepError": "flyte_wandb._errors",
    "UnansweredError": "flyte_wandb._errors",
    "SyncOutcome": "flyte_wandb._outcomes",
    "TrialError": "flyte_wandb._outcomes",
    "TrialOutcome": "flyte_wandb._outcomes",
    "TrialOutcomes": "flyte_wandb._outcomes",
    "Wandb": "flyte_wandb.links._link",
    "WandbSweep": "flyte_wandb.links._link",
    "plan": "flyte_wandb.plans._plan",
    "use_plugin": "flyte_wandb.plugins._loading",
    "StrategyManager": "flyte_wandb.plugins._manager",
    "download_wandb_run_dir": "flyte_wandb.results.downloads._to_folder",
    "download_wandb_sweep_dirs": "flyte_wandb.results.downloads._to_folder",
    "download_wandb_run_logs": "flyte_wandb.results.downloads._to_storage",
    "download_wandb_sweep_logs": "flyte_wandb.results.downloads._to_storage",
    "sync_wandb_runs": "flyte_wandb.results.offline._sync",
    "sync_wandb_runs_async": "flyte_wandb.results.offline._sync",
    "get_distributed_info": "flyte_wandb.runs._getters",
    "get_wandb_run": "flyte_wandb.runs._getters",
    "get_wandb_run_dir": "flyte_wandb.runs._getters",
    "get_wandb_sweep_id": "flyte_wandb.runs._getters",
    "WandbConfig": "flyte_wandb.settings._config",
    "WandbSweepConfig": "flyte_wandb.settings._config",
    "get_wandb_context": "flyte_wandb.settings._config",
    "get_wandb_sweep_context": "flyte_wandb.settings._config",
    "wandb_config": "flyte_wandb.settings._config",
    "wandb_sweep_config": "flyte_wandb.settings._config",
    "RankScope": "flyte_wandb.settings._schema",
    "RunMode": "flyte_wandb.settings._schema",
    "wandb_sweep": "flyte_wandb.sweeps._decorator",
    "run_sweep": "flyte_wandb.sweeps._run_sweep",
    "wandb_init": "flyte_wandb.tasks._decorator",
    "LinkPreview": "flyte_wandb.tasks._preview",
    "Preview": "flyte_wandb.tasks._preview",
    "preview": "flyte_wandb.tasks._preview",
}
"""Where the public names that are not part of the contract are defined."""

if not TYPE_CHECKING:  # a checker that sees a module's __getattr__ takes every misspelt name for one that exists

    def __getattr__(name: str) -> object:
        if name == "__version__":
            # On demand, because it looks through the installed distributions.
            return import_module("importlib.metadata").version("flyte-wandb")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES.get(name, "flyte_wandb_hookspecs")), name)
        return value

    def __dir__() -> list[str]:
        # By default it would list only what has been loaded, and completion would miss the rest.
        return sorted({*globals(), *__all__})
