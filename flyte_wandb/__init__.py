"""Weights & Biases for Flyte 2: `@wandb_init` opens the right runs, and plugins decide what "right" means.

Everything that users and plugin authors need is imported from here.
"""

from typing import Literal

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
    hookimpl,
    quote_segment,
    strategy_argument,
    strategy_name,
)

from ._config import WandbConfig, get_wandb_context, wandb_config
from ._decorator import wandb_init
from ._errors import (
    FlyteWandbError,
    HookError,
    OpenRunError,
    PluginError,
    RefusedError,
    RunInUseError,
    SettingError,
    UnansweredError,
)
from ._inside import get_distributed_info, get_wandb_run, get_wandb_run_dir
from ._link import Wandb
from ._manager import StrategyManager
from ._plan import plan

RunMode = Literal["auto", "new", "shared"]
"""The built-in run modes; plugins bring more."""

RankScope = Literal["global", "worker"]
"""The built-in rank scopes; plugins bring more."""

__all__ = [
    "FlyteWandbError",
    "Group",
    "HookError",
    "HookSpecs",
    "OpenRunError",
    "ParentRun",
    "Part",
    "Plan",
    "PlanRefusedError",
    "PluginError",
    "RankScope",
    "RefusedError",
    "Request",
    "Role",
    "RunInUseError",
    "RunMode",
    "SettingError",
    "Settings",
    "Step",
    "Strategy",
    "StrategyManager",
    "Topology",
    "UnansweredError",
    "Wandb",
    "WandbConfig",
    "get_distributed_info",
    "get_wandb_context",
    "get_wandb_run",
    "get_wandb_run_dir",
    "hookimpl",
    "plan",
    "quote_segment",
    "strategy_argument",
    "strategy_name",
    "wandb_config",
    "wandb_init",
]


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: `importlib.metadata` costs more than the rest of this package."""
    if name == "__version__":
        from importlib.metadata import version

        return version("flyte-wandb")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
