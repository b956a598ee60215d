import flyte

from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(
    name="vision",
    image=flyte.Image.from_debian_base(name="vision").with_pip_packages("flyte-wandb"),
    secrets="wandb-api-key",  # Flyte sets it as WANDB_API_KEY
)


@wandb_init(project="vision", entity="team")
@env.task
def train(epochs: int = 5) -> float:
    loss = 1.0
    for epoch in range(epochs):
        loss = 1 / (1 + epoch)
        if run := get_wandb_run():
            run.log({"loss": loss})
    return loss


if __name__ == "__main__":
    flyte.init_from_config()
    print(flyte.run(train, epochs=20).url)
