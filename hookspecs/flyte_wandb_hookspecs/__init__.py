"""The contract of flyte-wandb: markers, hook specifications and the frozen data that hooks receive.

It imports pluggy and the standard library only, so a plugin can be type-checked and tested against it alone. Plugin
authors usually write ``from flyte_wandb import hookimpl, Part, Role``, which re-exports all of this.
"""

from ._helpers import frozen_copy, plain_copy, quote_segment
from ._specs import PROJECT_NAME, HookSpecs, hookimpl, hookspec
from ._types import (
    Group,
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
    strategy_argument,
    strategy_name,
)

__all__ = [
    "PROJECT_NAME",
    "Group",
    "HookSpecs",
    "ParentRun",
    "Part",
    "Plan",
    "PlanRefusedError",
    "Request",
    "Role",
    "Settings",
    "Step",
    "Strategy",
    "Topology",
    "Trial",
    "frozen_copy",
    "hookimpl",
    "hookspec",
    "plain_copy",
    "quote_segment",
    "strategy_argument",
    "strategy_name",
]
