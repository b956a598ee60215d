"""Measure flyte-wandb against doing the same by hand: ``python benchmarks/run.py [--quick] [--markdown FILE]``.

Works offline in a temporary folder, prints one table and exits with 1 where a limit is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's own folder is on the path, its repository is not.
    sys.path.append(str(Path(__file__).resolve().parents[1]))

    from benchmarks._main import main

    sys.exit(main())
