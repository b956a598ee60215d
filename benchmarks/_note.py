"""What a measured process says of itself, such as a rank that reaches the user's code. Standard library only."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def leave() -> None:
    """Write when the user's code was reached (seconds since the epoch) and the peak memory by then (MiB)."""
    Path(f"note-{os.environ['RANK']}").write_text(json.dumps([time.time(), peak()]))


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def read(folder: Path, rank: int) -> tuple[float, float]:
    """Read the note of a rank that was started in `folder`."""
    reached, most = json.loads((folder / f"note-{rank}").read_text())
    return reached, most
