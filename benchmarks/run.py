"""Measure flyte-wandb against doing the same by hand: ``python benchmarks/run.py [--quick] [--markdown FILE]``.

Works in a temporary folder, prints one table and exits with 1 where a limit is missed. ``--only plans`` is a part.
"""

from __future__ import annotations

import sys
from pathlib import Path

# A script's own folder is on the path, its repository is not.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks._command import run_table
from benchmarks._experiments import compare
from benchmarks._rows import judge

if __name__ == "__main__":
    sys.exit(run_table("benchmarks", "run.py", __doc__, compare, judge))
