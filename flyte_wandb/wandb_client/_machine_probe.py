"""The wait of a short run for what W&B's service finds out about its machine, in some 20 ms beside the run.

The service leaves out what it has not found when the run ends (wandb 0.31). A short bare run has it all the same, as
W&B first reads the list of installed packages, which takes longer where there are some 90 of them. Our runs get that
list from `_packages`, so that one of a few milliseconds would have neither processor nor memory nor GPUs.

Offline the service writes no file that tells how far it is, so that nothing is waited for.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from ._configuration import named_mode

if TYPE_CHECKING:
    import wandb

_SECONDS: Final = 1.0
"""How old a run is when it is finished without. On a busy machine the probe took at most 30 ms."""

_PAUSE_SECONDS: Final = 0.002
_FILE: Final = "wandb-metadata.json"
_FOUND: Final = b'"cpu_count"'
"""W&B writes the file with what it knows of the process, and again, with this, when it has probed all.

With `x_disable_stats` it writes it once only, within a millisecond.
"""

_SWITCHES: Final = ("x_disable_meta", "x_disable_machine_info")

_DEADLINES: Final[dict[int, float]] = {}
"""Until when each open run waits for its probe at most, by `id()`, on the clock of `time.monotonic`."""


def note_probe(run: wandb.Run, settings: Any) -> None:
    """Take in that W&B's service probes the machine for a run, as it does for the owner of a run's files."""
    if named_mode(settings.mode) == "online" and not any(getattr(settings, name, False) for name in _SWITCHES):
        _DEADLINES[id(run)] = time.monotonic() + _SECONDS


def wait_for_probe(run: wandb.Run, settings: Any) -> None:
    """Wait until the data of the machine are there, for as long as `_SECONDS` after the opening at most. Blocks."""
    deadline = _DEADLINES.pop(id(run), 0.0)
    if time.monotonic() >= deadline:
        return
    path = os.path.join(settings.files_dir, _FILE)
    last = b"" if settings.x_disable_stats else _FOUND
    while not _has_text(path, last) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)


def _has_text(path: str, text: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return text in file.read()
    except OSError:
        return False
