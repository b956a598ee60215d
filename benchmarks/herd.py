"""Have a thousand ranks open their runs at once, within W&B's limits: ``python benchmarks/herd.py [--quick]``.

Works in a temporary folder, prints one table and exits with 1 where a rank of ours fails or has no run, rows are lost,
or more than 1 % of the requests are refused. ``--only new`` runs the cases whose names have that text.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A script's own folder is on the path, its repository is not.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from benchmarks._command import make_parser
from benchmarks._pages import fill_page, publish, write_table
from benchmarks._session import open_session


def main() -> int:
    """Drive the cases one after the other, and return the exit code: 1 where one of ours misses a limit."""
    started, parser = time.perf_counter(), make_parser("herd.py", __doc__)
    parser.add_argument("--quick", action="store_true", help="32 ranks, to try it out; decides nothing")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose names have this text")
    parser.add_argument("--runs-a-second", type=float, default=4, help="what this machine can open; W&B's limit is 80")
    arguments = parser.parse_args()
    with open_session(quick=arguments.quick) as session:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        from benchmarks._herd.cases import Case, list_cases, list_crowds
        from benchmarks._herd.drive import Herd, Outcome, drive
        from benchmarks._herd.report import COLUMNS, find_missed, write_cells

        if arguments.quick:
            herd = Herd(processes=2, runs_a_second=20, container_seconds=1, margin=1)
            tracks = [[*list_cases(16, 2, 4)], [*list_crowds((), 2, 1)]]
        else:
            herd = Herd(processes=8, runs_a_second=arguments.runs_a_second, container_seconds=1, margin=20)
            tracks = [[*list_cases(128, 8, 1000)], [*list_crowds((57, 256), 57, 300)]]
        wanted = [[case for case in track if arguments.only in case.what] for track in tracks]
        step = session.bar("cases", sum(map(len, wanted)))

        def drive_all(cases: list[Case]) -> list[Outcome]:
            outcomes = []
            for case in cases:
                outcomes.append(drive(case, herd, session.folder))
                print(" | ".join(write_cells(outcomes[-1])), file=sys.stderr)
                step()
            return outcomes

        # At the same time: those of a crowd have little to do for minutes.
        with ThreadPoolExecutor(len(tracks)) as threads:
            outcomes = [outcome for found in threads.map(drive_all, wanted) for outcome in found]
    table = write_table(COLUMNS, map(write_cells, outcomes))
    title = " (QUICK: too few ranks to decide anything)" if arguments.quick else ""
    page = fill_page(
        "herd", started=started, title=title, table=table, rate=f"{herd.runs_a_second:g}", processes=str(herd.processes)
    )
    publish(page, arguments.markdown)
    missed = [] if arguments.quick else [*find_missed(outcomes)]
    for text in missed:
        print(f"missed: {text}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
