import flyte

from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="first")


@wandb_init(project="vision")
@env.task
def train(epochs: int = 5) -> float:
    loss = 1.0
    for epoch in range(epochs):
        loss = 1 / (1 + epoch)
        if run := get_wandb_run():
            run.log({"loss": loss})
    return loss
