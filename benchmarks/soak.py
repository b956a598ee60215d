"""Run many tracked tasks in one process while things fail: ``python benchmarks/soak.py [--tasks 1000] [--seed N]``.

Works offline in a temporary folder, prints one table and exits with 1 where a run is lost, rows are in the wrong run, a
state is not as its task ended, or the process has grown.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

# A script's own folder is on the path, its repository is not.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks._command import exit_code, make_parser
from benchmarks._pages import fill_page, publish, write_table
from benchmarks._rows import COLUMNS
from benchmarks._session import open_session

_SHOWN: Final = 50


def main() -> int:
    """Draw the trees, run them, and return the exit code: 1 where anything is lost, wrong, or grows."""
    started, parser = time.perf_counter(), make_parser("soak.py", __doc__)
    parser.add_argument("--tasks", type=int, default=1000, help="how many tasks to run")
    seed = secrets.randbelow(10**6)
    parser.add_argument("--seed", type=int, default=seed, help="draws the same tasks and faults again")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    with open_session() as session:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        from benchmarks._soak.driver import soak
        from benchmarks._soak.nodes import draw_trees
        from benchmarks._soak.report import write_rows

        trees = draw_trees(Random(arguments.seed), arguments.tasks)
        rows, faults = write_rows(*soak(trees, session.folder, session.bar("trees of tasks", len(trees))))
    command = f"python benchmarks/soak.py --tasks {arguments.tasks} --seed {arguments.seed}"
    table = write_table(COLUMNS, (row.cells for row in rows))
    publish(fill_page("soak", started=started, command=command, table=table), arguments.markdown)
    for fault in faults[:_SHOWN]:
        print(fault, file=sys.stderr)
    return exit_code(rows)


if __name__ == "__main__":
    sys.exit(main())
