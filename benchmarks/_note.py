"""What a measured rank leaves behind when it reaches the user's code. Imports the standard library only."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def leave() -> None:
    """Write when the user's code was reached (seconds since the epoch) and the peak memory by then (MiB)."""
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    Path(f"note-{os.environ['RANK']}").write_text(json.dumps([time.time(), peak / 1024]))


def read(folder: Path, rank: int) -> tuple[float, float]:
    """Read the note of a rank that was started in `folder`."""
    reached, peak = json.loads((folder / f"note-{rank}").read_text())
    return reached, peak
