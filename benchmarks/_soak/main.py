"""The command line: draw the trees, run them, compare, show."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console
from rich.progress import Progress

from .. import _machine, _table
from .._progress import ticker
from .._rows import Row
from .._scratch import scratch
from .nodes import drawn

_SHOWN: Final = 50


def main() -> int:
    """Soak, and return the exit code: 1 where anything is lost, wrong, or grows."""
    arguments = _arguments()
    print(f"seed {arguments.seed}", file=sys.stderr)
    started = time.perf_counter()
    rows, faults = _measured(arguments.seed, arguments.tasks)
    heading = _heading(arguments, minutes=(time.perf_counter() - started) / 60)
    _table.show(heading, rows)
    if arguments.markdown:
        arguments.markdown.write_text(_table.markdown(heading, rows))
    for fault in faults[:_SHOWN]:
        print(fault, file=sys.stderr)
    return int(any(row.ok is False for row in rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/soak.py", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000, help="how many tasks to run")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="draws the same tasks and faults again"
    )
    parser.add_argument("--markdown", metavar="FILE", type=lambda text: Path(text).resolve(), help="write it there too")
    return parser.parse_args()


def _measured(seed: int, tasks: int) -> tuple[list[Row], list[str]]:
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress, scratch() as folder:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        from . import driver, report

        trees = drawn(Random(seed), tasks)
        return report.rows_of(driver.soaked(trees, folder, ticker(progress, "trees of tasks", len(trees))))


def _heading(arguments: argparse.Namespace, *, minutes: float) -> _machine.Heading:
    about = _machine.heading(minutes=minutes, quick=False).notes[0]
    command = f"python benchmarks/soak.py --tasks {arguments.tasks} --seed {arguments.seed}"
    drawn_by = f"`{command}`: the seed draws tasks and faults; which of them meet is up to the machine."
    return _machine.Heading(title="Soak", notes=(about, drawn_by, *_NOTES))


_NOTES: Final = (
    "One process runs all tasks, in trees in Flyte's local mode; the W&B server double has a process of its own. "
    "Memory, file descriptors and threads are those of the one process, looked at 40 times after a garbage collection: "
    "the median of the last quarter is compared with that of the second.",
    "A task that is open when W&B's service is killed keeps what reached the server or the disk; the other rows are "
    "counted above and are no fault. Every other row has to be in its own run, once.",
)
