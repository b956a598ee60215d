"""The default answers of flyte-wandb: launchers, rank scopes, run modes, ids, groups and links.

Registered through the same entry-point group as anybody else's plugin, and importing only the contract.
"""

from ._launchers import detect_topology
from ._links import build_link, build_sweep_link
from ._names import compute_group, compute_run_id
from ._run_modes import choose_initializer
from ._scopes import locate_rank
from ._strategies import list_strategies

__all__ = [
    "build_link",
    "build_sweep_link",
    "choose_initializer",
    "compute_group",
    "compute_run_id",
    "detect_topology",
    "list_strategies",
    "locate_rank",
]
