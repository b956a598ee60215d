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

from ._conformance import PluginConformance
from ._container import Container, ContainerResult, run_container, start_container
from ._explain import assert_plan, explain
from ._limits import Limits
from ._ranks import run_ranks, start_ranks
from ._records import Alert, ArtifactRecord, RunRecord, SweepRecord, Writer
from ._server import WandbServer
from ._worlds import SHAPES, world_of

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
