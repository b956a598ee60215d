"""What the commands share: their options, the measurement of declared rows, and the exit code."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._experiments import Experiment
from ._pages import fill_page, publish, write_table
from ._rows import COLUMNS, Declaration, Row, read_groups
from ._session import Session, open_session


def make_parser(script: str, about: str | None) -> argparse.ArgumentParser:
    """Return a parser of ``--markdown``, for a script that is about something."""
    parser = argparse.ArgumentParser(prog=f"benchmarks/{script}", description=about)
    parser.add_argument("--markdown", metavar="FILE", type=lambda text: Path(text).resolve(), help="write it there too")
    return parser


def parse_groups(parser: argparse.ArgumentParser, groups: Iterable[str]) -> argparse.Namespace:
    """Add ``--quick`` and ``--only``, and parse the command line: `only` are the wanted groups, in their own order."""
    names = list(groups)
    parser.add_argument("--quick", action="store_true", help="few repetitions, to try it out; decides nothing")
    among = f"some of {', '.join(names)}"
    parser.add_argument("--only", "--rows", nargs="+", action="extend", metavar="GROUP", help=among)
    arguments = parser.parse_args()
    wanted = {group for text in arguments.only or names for group in text.split(",")}
    if unknown := sorted(wanted - {*names}):
        parser.error(f"no such group of rows: {', '.join(unknown)}; there are {', '.join(names)}")
    arguments.only = [group for group in names if group in wanted]
    arguments.title = " (QUICK: too few repetitions to decide anything)" if arguments.quick else ""
    return arguments


def run_table(
    page: str,
    script: str,
    about: str | None,
    measure: Callable[[Session, str, Experiment], dict[str, Any]],
    judge: Callable[[Declaration, Mapping[str, Any]], Row],
    columns: Sequence[str] = COLUMNS,
) -> int:
    """Measure the rows of a table, publish the page of the same name, and return the exit code.

    `measure` runs an experiment, and `judge` makes a row of what was measured.
    """
    started, groups = time.perf_counter(), read_groups(page)
    arguments = parse_groups(make_parser(script, about), groups)
    rows: list[Row] = []
    measured: dict[str, Any] = {}
    with open_session(quick=arguments.quick) as session:
        for experiments, declarations in map(groups.__getitem__, arguments.only):
            for name, experiment in experiments.items():
                measured |= measure(session, name, experiment)
            rows += [judge(row, measured) for row in declarations]
    table = write_table(columns, (row.cells for row in rows))
    publish(fill_page(page, started=started, title=arguments.title, table=table), arguments.markdown)
    return exit_code(rows)


def exit_code(rows: Iterable[Row]) -> int:
    """Say which limits are missed, and return 1 where one is."""
    missed = [row for row in rows if row.ok is False]
    for row in missed:
        print(f"limit missed: {row.what}: {row.result} (limit {row.limit})", file=sys.stderr)
    return int(bool(missed))
