"""An organisation's rules for its W&B runs: names by template, a tag, a cost centre, a webhook that hears of the end.

What an organisation changes stands in `_organisation`.
"""

from ._additions import contribute_run_settings
from ._names import compute_group, compute_run_id
from ._webhook import run_finished

__all__ = ["compute_group", "compute_run_id", "contribute_run_settings", "run_finished"]
