import json
from pathlib import Path

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import download_wandb_run_logs, get_wandb_run, wandb_config, wandb_init

env = flyte.TaskEnvironment(name="results")
cluster = ClusteredTaskEnvironment(name="training", replicas=2, nproc_per_node=4)


@wandb_init  # one run, of rank 0
@cluster.task
def train(epochs: int) -> str:
    run = get_wandb_run()
    if run is None:
        return ""  # a rank without a run; Flyte takes the result of rank 0
    for epoch in range(epochs):
        run.log({"loss": 1 / (1 + epoch)})
    return run.path  # entity/project/id


@env.task
async def best_loss(run: str) -> float:
    logs = await download_wandb_run_logs(run)
    folder = Path(await logs.download())
    with (folder / "history.jsonl").open() as history:
        return float(min(json.loads(row)["loss"] for row in history))


@env.task
async def main() -> float:
    run = await train.aio(epochs=4)  # when it returns, all ranks have finished
    return await best_loss(run)


if __name__ == "__main__":
    flyte.init()
    settings = wandb_config(project="vision")
    print(flyte.with_runcontext(mode="local", custom_context=settings).run(main).outputs()[0])
