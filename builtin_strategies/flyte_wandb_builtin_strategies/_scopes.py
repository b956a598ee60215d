"""The built-in rank scopes: `global` and `worker`."""

from flyte_wandb_hookspecs import Part, Request, Topology, hookimpl


@hookimpl
def locate_rank(request: Request) -> Part | None:
    """Put all ranks into one part (`global`), or those of each node (`worker`; a single node is the whole world)."""
    if request.rank_scope == "global":
        return _world(request.topology)
    if request.rank_scope == "worker":
        return _node(request.topology)
    return None


def _world(topology: Topology) -> Part:
    return Part(index=topology.rank, size=topology.world_size)


def _node(topology: Topology) -> Part:
    if topology.num_workers == 1:
        return _world(topology)
    return Part(label=f"worker-{topology.worker_index}", index=topology.local_rank, size=topology.local_world_size)
