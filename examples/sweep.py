import flyte

from flyte_wandb import get_wandb_run, run_sweep, wandb_config, wandb_init, wandb_sweep_config

env = flyte.TaskEnvironment(name="search")


@wandb_init
@env.task(retries=1)
async def train(lr: float, epochs: int) -> float:
    x, loss = 1.0, 1.0
    for _ in range(epochs):  # finds the square root of 2
        x -= lr * 4 * x * (x * x - 2)
        loss = (x * x - 2) ** 2
        if run := get_wandb_run():
            run.log({"loss": loss})
    return loss


@env.task
async def search() -> float:
    trials = await run_sweep(train, max_parallel=4)
    return float(trials.best().parameters["lr"])


if __name__ == "__main__":
    flyte.init()
    sweep = wandb_sweep_config(
        method="grid",
        metric={"name": "loss", "goal": "minimize"},
        parameters={"lr": {"values": [0.01, 0.05, 0.1]}, "epochs": {"values": [5, 20]}},
    )
    settings = {**wandb_config(project="vision"), **sweep}
    print(flyte.with_runcontext(mode="local", custom_context=settings).run(search).outputs()[0])
