"""The command line: measure every dimension, show it, judge it."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from . import _machine, _table
from ._rows import Row
from ._scratch import scratch

DIMENSIONS: Final = ("ranks", "plugins", "tasks", "history", "sweeps", "double")
COLUMNS: Final = ("what", "cost of the largest", "of the smallest", "exponent", "expected", "n", "ok?")
_NOTES: Final = (
    "The exponent is the slope of a least-squares line through the logarithms of the upper half of the sizes: 0 is "
    "constant, 1 linear. Behind it stands how far off the farthest point is. `NO` is an exponent above 1.15 "
    "where linear is expected, above 0.1 where constant is.",
    "Ranks and plugins are seconds of a core, for they wait for nothing; all other times are those of a clock.",
    "Each size was measured n times, and the least counts. Sizes rise by about the same factor. The double of W&B's "
    "server has a process of its own: its memory is in its own rows only, its time in all that speak to it.",
)


def main() -> int:
    """Measure, and return the exit code: 1 where a cost grows faster than expected."""
    arguments = _arguments()
    started = time.perf_counter()
    rows = _measured(arguments.only)
    about = _machine.heading(minutes=(time.perf_counter() - started) / 60, quick=False).notes[0]
    heading = _machine.Heading(title="Growth", notes=(f"{time.strftime('%Y-%m-%d')}. {about}", *_NOTES))
    _table.show(heading, rows, COLUMNS)
    if arguments.markdown:
        arguments.markdown.write_text(_table.markdown(heading, rows, COLUMNS).removeprefix("#"))
    fast = [row for row in rows if row.ok is False]
    for row in fast:
        print(f"grows too fast: {row.what}: {row.result}, expected {row.limit}", file=sys.stderr)
    return int(bool(fast))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/growth.py", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=DIMENSIONS, help="some of the dimensions")
    parser.add_argument("--markdown", metavar="FILE", type=lambda text: Path(text).resolve(), help="write it there too")
    return parser.parse_args()


def _measured(dimensions: list[str]) -> list[Row]:
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress, scratch() as folder:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        modules = [import_module(f"{__package__}._growth_{name}") for name in dimensions]
        return [cost.row() for module in modules for cost in module.measured(folder, progress)]
