"""The rank scope `island:<ranks>` for flyte-wandb: an NVLink domain, a rack or a row of racks is a part of its own.

Run modes, ids, groups, links and the preview follow from the part; nothing else has to be implemented.
"""

from ._hooks import list_strategies, locate_rank

__all__ = ["list_strategies", "locate_rank"]
