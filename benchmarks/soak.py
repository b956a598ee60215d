"""Run many tracked tasks in one process while things fail: ``python benchmarks/soak.py [--tasks 1000] [--seed N]``.

Works offline in a temporary folder, prints one table and exits with 1 where a run is lost, rows are in the wrong run, a
state is not as its task ended, or the process has grown.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's own folder is on the path, its repository is not.
    sys.path.append(str(Path(__file__).resolve().parents[1]))

    from benchmarks._soak.main import main

    sys.exit(main())
