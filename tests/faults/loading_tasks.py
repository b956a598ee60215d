"""Tasks that read from the workers of a `DataLoader`, in a module of their own: the import of torch takes seconds.

The rows that they log are what came of it.
"""

from __future__ import annotations

import time

import flyte
from torch.utils.data import DataLoader, Dataset

from flyte_wandb import wandb_init
from tests.current import this_run
from tests.faults.sigterm_tasks import tell_test

env = flyte.TaskEnvironment(name="loading")


class Numbers(Dataset):  # type: ignore[misc]
    """The numbers from 0 to 7."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return index


def load() -> None:
    """Read a whole epoch; leave another one in its midst; go on with a third one until SIGTERM."""
    batches = DataLoader(Numbers(), batch_size=2, num_workers=2)
    this_run().log({"sum": sum(int(batch.sum()) for batch in batches)})
    for kind in ("left", "waiting"):
        reading = iter(batches)
        next(reading)
        # There is no public way to the workers.
        workers = reading._workers
        this_run().log({kind: [worker.pid for worker in workers]})
        if kind == "left":
            del reading
            this_run().log({"exit codes": [worker.exitcode for worker in workers]})
    tell_test()
    while True:
        time.sleep(0.01)


@wandb_init
@env.task
def loads() -> None:
    load()


@wandb_init
@env.task
async def loads_async() -> None:
    load()
