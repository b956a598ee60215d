"""Tasks with a report of their own, tracked and bare, and ranks that ask Lightning's logger for a run."""

from __future__ import annotations

import flyte
import flyte.report

from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="integrations")


async def reported(fails: bool) -> int:
    await flyte.report.replace.aio("<p>the user's own</p>", do_flush=True)
    if run := get_wandb_run():
        run.log({"x": 1})
    if fails:
        raise ValueError("the user's own")
    return 1


@env.task(report=True)
async def bare(fails: bool) -> int:
    return await reported(fails)


@wandb_init
@env.task(report=True)
async def tracked(fails: bool) -> int:
    return await reported(fails)


@wandb_init
@env.task
def asks_lightning(loss: float) -> str:
    """Return the id of the run that Lightning's logger has on this rank, or nothing where it has none."""
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    logger = WandbLogger()
    logger.log_metrics({"loss": loss})
    return str(logger.version) if wandb.run else ""
