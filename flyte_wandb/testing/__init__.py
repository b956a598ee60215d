"""What tests of tracked tasks need: a W&B server on this machine, and Flyte's container entry point without a cluster.

Example::

    from flyte_wandb.testing import WandbServer, run_container

    def test_training(tmp_path):
        with WandbServer() as server:
            result = run_container(train, folder=tmp_path, inputs={"epochs": 3}, environ=server.environ)
        assert result.error is None
        assert server.runs[0].state == "finished"
"""

from ._container import Container, ContainerResult, run_container, start_container
from ._ranks import run_ranks, start_ranks
from ._records import RunRecord, Writer
from ._server import WandbServer

__all__ = [
    "Container",
    "ContainerResult",
    "RunRecord",
    "WandbServer",
    "Writer",
    "run_container",
    "run_ranks",
    "start_container",
    "start_ranks",
]
