"""The command line: measure everything, show it, judge it."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from . import _machine, _table
from ._counts import FULL, QUICK, Counts
from ._rows import Row
from ._scratch import scratch

MODULES: Final = ("imports", "plans", "plugins", "previews", "overhead", "children", "ranks", "downloads", "reports")
"""What is measured, in this order."""


def main() -> int:
    """Run all benchmarks and return the exit code: 1 where a limit is missed."""
    arguments = _arguments()
    started = time.perf_counter()
    rows = _measured(QUICK if arguments.quick else FULL, arguments.only or MODULES)
    heading = _machine.heading(minutes=(time.perf_counter() - started) / 60, quick=arguments.quick)
    _table.show(heading, rows)
    if arguments.markdown:
        arguments.markdown.write_text(_table.markdown(heading, rows))
    return _judged(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description=__doc__)
    parser.add_argument("--only", action="append", choices=MODULES, help="measure this, and what is named likewise")
    parser.add_argument("--quick", action="store_true", help="few repetitions, to try it out; decides nothing")
    parser.add_argument("--markdown", metavar="FILE", type=lambda text: Path(text).resolve(), help="write it there too")
    return parser.parse_args()


def _measured(counts: Counts, names: Sequence[str]) -> list[Row]:
    # Drawn by us between two repetitions: a thread that redraws it would disturb what is measured.
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress, scratch() as folder:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        modules = [import_module(f"benchmarks._{name}") for name in names]
        return [row for module in modules for row in module.measured(counts, folder, progress)]


def _judged(rows: list[Row]) -> int:
    missed = [row for row in rows if row.ok is False]
    for row in missed:
        print(f"limit missed: {row.what}: {row.result} (limit {row.limit})", file=sys.stderr)
    return 1 if missed else 0
