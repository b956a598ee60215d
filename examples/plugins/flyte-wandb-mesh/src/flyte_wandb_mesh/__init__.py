"""The rank scope `mesh:<dimensions>` for flyte-wandb: parts of a device mesh, such as one per data-parallel replica.

Run modes, ids, groups, links and the preview follow from the part; nothing else has to be implemented.
"""

from ._hooks import list_strategies, locate_rank

__all__ = ["list_strategies", "locate_rank"]
