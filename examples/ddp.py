"""Distributed training with torch, one W&B run for all ranks. The same file runs on GPUs and on a laptop."""

import flyte
import torch
import torch.distributed as dist
from flyteplugins.pytorch import Elastic

from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(
    name="ddp",
    plugin_config=Elastic(nproc_per_node=2, nnodes=1),
    # On a cluster, as in cluster.py: image=..., secrets="wandb-api-key", resources=flyte.Resources(gpu="A100:2")
)


@wandb_init(project="ddp", config={"lr": 0.1})
@env.task
def train(epochs: int = 5) -> float | None:
    """Fit a line and return the last loss. Optional: under Elastic only the node of rank 0 has a result."""
    launched = dist.is_torchelastic_launched()  # not in Flyte's local mode, which runs one process
    cuda = torch.cuda.is_available()
    if launched:
        dist.init_process_group("nccl" if cuda else "gloo")
    rank = dist.get_rank() if launched else 0
    device = torch.device("cuda", rank % torch.cuda.device_count()) if cuda else torch.device("cpu")

    torch.manual_seed(rank)  # every rank its own part of the data
    inputs = torch.rand(64, 4, device=device)
    targets = inputs.sum(dim=1, keepdim=True)
    linear = torch.nn.Linear(4, 1).to(device)
    model = torch.nn.parallel.DistributedDataParallel(linear) if launched else linear
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    loss = torch.zeros(1)
    for epoch in range(epochs):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        if run := get_wandb_run():  # rank 0's; None on the others
            run.log({"epoch": epoch, "loss": loss.item()})

    if launched:
        dist.destroy_process_group()
    return float(loss)


if __name__ == "__main__":
    flyte.init()
    print(flyte.with_runcontext(mode="local").run(train).outputs()[0])
