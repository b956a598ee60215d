"""The contract of flyte-wandb: markers, hook specifications and the frozen data that hooks receive.

It imports pluggy and the standard library only, so a plugin can be type-checked and tested against it alone. Plugin
authors usually write ``from flyte_wandb import hookimpl, Part, Role``, which re-exports all of this.
"""

from ._decisions import Group, Part, Plan, Role, Step
from ._errors import PlanRefusedError
from ._frozen import frozen_copy, plain_copy
from ._links import quote_segment
from ._markers import PROJECT_NAME, hookimpl, hookspec
from ._request import ParentRun, Request, Settings, Trial
from ._specs import HookSpecs
from ._strategy import Strategy, strategy_argument, strategy_name
from ._topology import Topology

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
