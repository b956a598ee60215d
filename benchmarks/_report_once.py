"""One tab in this process: ``python -m benchmarks._report_once LOG`` prints what it measured, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from flyte_wandb.results.report._history import read_history
from flyte_wandb.results.report._run_section import build_logged_sections


def _peak() -> float:
    """Return the MiB at the peak, of this process alone."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    started = time.process_time()
    size = sum(len(section.encode()) for section in build_logged_sections(read_history(Path(sys.argv[1]))))
    print(json.dumps({"seconds": time.process_time() - started, "KiB": size / 1024, "MiB": _peak()}))
