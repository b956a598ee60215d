"""What tests of tracked tasks and of plugins need: a W&B server on this machine, Flyte's container entry point.

`PluginConformance` is what every plugin has to keep; `explain` and `assert_plan` say a plan in words. pytest finds
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

_HOMES = {
    "Alert": "state._records",
    "ArtifactRecord": "state._records",
    "Container": "_container",
    "ContainerResult": "_container",
    "Limits": "rules._limits",
    "PluginConformance": "_conformance",
    "RunRecord": "state._records",
    "SHAPES": "_worlds",
    "SweepRecord": "state._records",
    "WandbServer": "_server",
    "Writer": "state._records",
    "assert_plan": "_explain",
    "explain": "_explain",
    "run_container": "_container",
    "run_ranks": "_ranks",
    "start_container": "_container",
    "start_ranks": "_ranks",
    "world_of": "_worlds",
}
"""Where a name is defined. It is loaded on first use: `flyte-wandb server` does without Flyte."""

if not TYPE_CHECKING:  # a checker that sees a module's __getattr__ takes every misspelt name for one that exists

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return value
