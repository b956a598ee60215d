"""What tests of tracked tasks and of plugins need: a W&B server on this machine, Flyte's container entry point.

`PluginConformance` tests the contract of plugins; `explain` and `assert_plan` describe a plan in words. pytest finds
the fixtures `wandb_server`, `wandb_online` and `wandb_strategies` by itself.

Example::

    from flyte_wandb.testing import WandbServer, run_container

    def test_training(tmp_path):
        with WandbServer() as server:
            result = run_container(train, folder=tmp_path, inputs={"epochs": 3}, environ=server.environ)
        assert result.error is None
        assert server.runs[0].state == "finished"
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._conformance import PluginConformance
    from ._container import Container, ContainerResult, run_container, start_container
    from ._explain import assert_plan, explain
    from ._ranks import run_ranks, start_ranks
    from ._server import WandbServer
    from ._worlds import SHAPES, world_of
    from .rules._limits import Limits
    from .state._records import Alert, ArtifactRecord, RunRecord, SweepRecord, Writer

__all__ = [
    "SHAPES",
    "Alert",
    "ArtifactRecord",
    "Container",
    "ContainerResult",
    "Limits",
    "PluginConformance",
    "RunRecord",
    "SweepRecord",
    "WandbServer",
    "Writer",
    "assert_plan",
    "explain",
    "run_container",
    "run_ranks",
    "start_container",
    "start_ranks",
    "world_of",
]

_MODULES = {
    "_conformance": ("PluginConformance",),
    "_container": ("Container", "ContainerResult", "run_container", "start_container"),
    "_explain": ("assert_plan", "explain"),
    "_ranks": ("run_ranks", "start_ranks"),
    "_server": ("WandbServer",),
    "_worlds": ("SHAPES", "world_of"),
    "rules._limits": ("Limits",),
    "state._records": ("Alert", "ArtifactRecord", "RunRecord", "SweepRecord", "Writer"),
}
"""Which names a module defines. They are loaded on first use: `flyte-wandb server` does without Flyte."""

if not TYPE_CHECKING:  # a checker that sees a module's __getattr__ takes every misspelt name for one that exists

    def __getattr__(name: str) -> object:
        for module, names in _MODULES.items():
            if name in names:
                value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
