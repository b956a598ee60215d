"""Which world a task declares, before anything starts it: `Elastic` and Flyte's clustered environments.

Both are known by their fields rather than by their classes: flyteplugins-pytorch is not installed everywhere, and to
import it loads torch.
"""

from __future__ import annotations

from typing import Any, Final

from flyte_wandb_hookspecs import PlanRefusedError, Topology, hookimpl

_COUNTED_AS_GPUS: Final = ("gpu", "auto")
"""What torchrun takes as `nproc_per_node` and counts on the node as its GPUs; "auto" as CPUs where there are none."""


@hookimpl
def declare_topology(plugin_config: Any, environment: Any) -> Topology | None:
    """Read the world of `Elastic` (`nnodes`), or that of a clustered environment (`replicas`)."""
    if hasattr(plugin_config, "nproc_per_node") and hasattr(plugin_config, "nnodes"):
        return _read_world(plugin_config, "nnodes", environment, launcher="torch-elastic")
    # Flyte 2.12 hands a clustered task its numbers; before that only the environment has them.
    clustered = getattr(plugin_config, "settings", None) or environment
    if hasattr(clustered, "nproc_per_node") and hasattr(clustered, "replicas"):
        return _read_world(clustered, "replicas", environment, launcher="clustered")
    return None


def _read_world(declaring: Any, nodes_field: str, environment: Any, *, launcher: str) -> Topology:
    nodes, fewer_nodes = _read_nodes(nodes_field, getattr(declaring, nodes_field))
    per_node, unknown_ranks = _read_ranks(declaring.nproc_per_node, environment)
    caveat = "; ".join(filter(None, (fewer_nodes, unknown_ranks))) or None
    return Topology.even(nodes, per_node, launcher=launcher, caveat=caveat)


def _read_nodes(name: str, value: object) -> tuple[int, str | None]:
    """Return the number of nodes, of a range such as "1:4" the most, and what is open about it."""
    least, colon, most = str(value).partition(":")
    nodes = _read_count(name, value, most if colon else least)
    if not colon or _read_count(name, value, least) == nodes:
        return nodes, None
    return nodes, (
        f"{name}={value!r} is a range, planned as {nodes} nodes: with fewer, links to the nodes that are missing lead "
        "to no run, and on a single node no id names the node"
    )


def _read_ranks(value: object, environment: Any) -> tuple[int, str | None]:
    """Return the ranks of a node, and what is open about it. A word such as "gpu" is counted on the node."""
    if not isinstance(value, str) or value.strip().isdecimal():
        return _read_count("nproc_per_node", value, str(value)), None
    gpus = _count_gpus(environment) if value in _COUNTED_AS_GPUS else None
    if gpus:
        return gpus, None
    return 1, f"nproc_per_node={value!r} is counted on the node when the task starts: the plan has 1 rank for each node"


def _count_gpus(environment: Any) -> int | None:
    """Return how many GPUs the environment asks for, or None where it does not say."""
    device = environment.resources.get_device() if getattr(environment, "resources", None) else None
    return getattr(device, "quantity", None)


def _read_count(name: str, value: object, text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise PlanRefusedError(f"{name}={value!r} of the task's plugin_config or environment: a world has 1 or more")
    return int(text)
