"""Run the same programs against the existing plugin and against flyte-wandb, taking turns, and print both side by side.

``python benchmarks/compare/run.py [--quick] [--rows GROUP ...] [--markdown FILE]`` makes an environment for each below
``build/compare``, which later runs use again.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # A script's own folder is on the path, its repository is not.
    sys.path.append(str(Path(__file__).resolve().parents[2]))

    from benchmarks.compare._main import main

    sys.exit(main())
