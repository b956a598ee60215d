import asyncio

import flyte

from flyte_wandb import get_wandb_run, wandb_config, wandb_init

env = flyte.TaskEnvironment(name="vision")


@wandb_init(run_mode="new", tags=["fold"])  # a run of its own
@env.task
async def train(fold: int) -> float:
    loss = 1.0
    for epoch in range(3):
        loss = 1 / (1 + epoch + fold)
        if run := get_wandb_run():  # None where this process logs nothing, such as on most ranks
            run.log({"loss": loss})
    return loss


@wandb_init  # outermost: above @env.task
@env.task
async def main() -> float:
    losses = await asyncio.gather(*(train(fold) for fold in range(3)))
    if run := get_wandb_run():
        run.summary["best"] = min(losses)
    return min(losses)


if __name__ == "__main__":
    flyte.init()
    settings = wandb_config(project="vision", config={"lr": 0.1})
    print(flyte.with_runcontext(mode="local", custom_context=settings).run(main).outputs()[0])
