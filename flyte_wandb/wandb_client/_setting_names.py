"""The names of W&B's own settings, known without importing wandb."""

from __future__ import annotations

import functools
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_FIELD: Final = re.compile(r"^    ([a-z]\w*): ", re.MULTILINE)


@functools.cache
def client_setting_names() -> frozenset[str]:
    """Return the names of the fields of `wandb.Settings`, or none where the source of wandb is not there to be read.

    From the source: whoever decorates a task would else import wandb, which takes a second, in every rank.

    >>> {"mode", "base_url", "x_disable_stats"} <= client_setting_names()
    True
    """
    package = find_spec("wandb")  # which imports nothing of it
    folder = Path((package and package.origin) or "").parent
    try:
        source = (folder / "sdk" / "wandb_settings.py").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    # Words of docstrings that look like a field are among them; for one of those W&B itself says that it has none.
    return frozenset(_FIELD.findall(source.partition("\nclass Settings(")[2]))
