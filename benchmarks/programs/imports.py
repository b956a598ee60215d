"""An import in a process that has loaded hardly anything before."""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks._vitals import memory


def time_import(modules: str) -> dict[str, Any]:
    """Import modules, given with commas between them: seconds, MiB at the peak, the names of all that is loaded."""
    before, started = set(sys.modules), time.perf_counter()
    for module in modules.split(","):
        __import__(module)
    took, loaded = time.perf_counter() - started, sorted(set(sys.modules) - before)
    return {"seconds": took, "peak": memory(), "modules": loaded, "loaded": float(len(loaded))}
