"""The default answers of flyte-wandb: launchers, rank scopes, run modes, ids, groups and links.

A plugin like any other: it registers in the same entry-point group, and imports only the contract.
"""

from ._declared_worlds import declare_topology
from ._launchers import detect_topology
from ._modes_and_scopes import choose_initializer, list_strategies, locate_rank
from ._names import build_link, build_sweep_link, compute_group, compute_run_id

__all__ = [
    "build_link",
    "build_sweep_link",
    "choose_initializer",
    "compute_group",
    "compute_run_id",
    "declare_topology",
    "detect_topology",
    "list_strategies",
    "locate_rank",
]
