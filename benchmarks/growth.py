"""Measure how costs grow with ranks, plugins, tasks, history and trials: ``python benchmarks/growth.py``.

Works in a temporary folder, prints one table with the exponent of each, and exits with 1 where one is above what is
expected. ``--markdown FILE`` writes the table there too, ``--only ranks,plugins`` measures a part.
"""

from __future__ import annotations

import sys
from pathlib import Path

# A script's own folder is on the path, its repository is not.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks._command import run_table
from benchmarks._experiments import grow
from benchmarks._rows import GROWTH_COLUMNS, judge_growth

if __name__ == "__main__":
    sys.exit(run_table("growth", "growth.py", __doc__, grow, judge_growth, GROWTH_COLUMNS))
