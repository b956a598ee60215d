"""The command line: make the environments, measure, count, and show the page."""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from .._machine import machine
from .._progress import ticker
from .._scratch import scratch
from ._arms import ROOT, Arm, arms, frozen
from ._counted import Counted, counted, said
from ._page import Page
from ._timed import Task, Timed

_VERSIONS: Final = ("flyteplugins-wandb", "flyte-wandb", "flyte", "wandb", "flyteplugins-pytorch", "torch", "pluggy")
_METHOD: Final = (
    "The same programs ran against both packages, each in an environment of its own with the same versions of all that "
    "they share, taking turns, another one first each time. They import the package by one name and differ in nothing "
    "else; online ones write to the W&B server double of flyte-wandb, offline ones to the disk.",
    "Times are medians with the whole range, over n fresh processes; the overhead of a task is the median within each. "
    "Less is better. Other processes may have used the cores meanwhile: compare ratios, not milliseconds.",
    "A case that is counted is right where W&B ends up with what the task did and asked for; each has processes of its "
    "own, but those of ranks, links and ids, which take turns in one launch for each world. "
    "A program that raises, hangs or says nothing is a wrong one, with what happened beside it.",
    "The double is our reading of W&B, whose server is not public: what shared mode and a second attempt do to a run, "
    "say, is as the double has it.",
)


def main() -> int:
    """Compare, print the page and return 0: there is no limit that could be missed."""
    arguments = _arguments()
    started = time.perf_counter()
    both = arms(ROOT / "build" / "compare")
    timed, failed, found = _measured(both, arguments)
    page = Page(
        title="Comparison with flyteplugins-wandb" + (" (QUICK: decides nothing)" if arguments.quick else ""),
        about=[_about(both, (time.perf_counter() - started) / 60), *_METHOD],
        timed=timed,
        counted=found,
        failed=failed,
    )
    print(page)
    if arguments.markdown:
        arguments.markdown.write_text(str(page))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/compare/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, to try it out; decides nothing")
    parser.add_argument("--rows", nargs="+", metavar="GROUP", default=[], help="only these groups of rows, by name")
    parser.add_argument("--markdown", metavar="FILE", type=lambda text: Path(text).resolve(), help="write it there too")
    return parser.parse_args()


def _measured(both: tuple[Arm, Arm], arguments: argparse.Namespace) -> tuple[list[Timed], list[str], Sequence[Counted]]:
    with Progress(console=Console(stderr=True), auto_refresh=False, transient=True) as progress, scratch() as folder:
        # They import flyte and wandb, which have to see the scratch folder's environment.
        from ._groups import MEASURES, QUESTIONS

        chosen = set(arguments.rows) or {*MEASURES, *QUESTIONS}
        _check(chosen, {*MEASURES, *QUESTIONS})
        timed: list[Timed] = []
        failed: list[str] = []
        for name, measure in _of(MEASURES, chosen):
            try:
                timed += measure(Task(arms=both, folder=folder, quick=arguments.quick, progress=progress))
            except Exception as error:
                failed.append(f"{name}: {said(error)}")
        most = 2 if arguments.quick else None
        questions = [question.first(most) for _, group in _of(QUESTIONS, chosen) for question in group]
        cases = 2 * sum(len(question.cases) for question in questions)
        return timed, failed, counted(questions, both, folder, ticker(progress, "cases", cases))


def _of(groups: dict[str, Any], chosen: set[str]) -> Iterator[tuple[str, Any]]:
    return ((name, group) for name, group in groups.items() if name in chosen)


def _check(chosen: set[str], known: set[str]) -> None:
    if unknown := sorted(chosen - known):
        sys.exit(f"no such group of rows: {', '.join(unknown)}; there are {', '.join(sorted(known))}")


def _about(both: tuple[Arm, Arm], minutes: float) -> str:
    installed = dict(line.split("==", 1) for arm in both for line in frozen(arm.python) if "==" in line)
    installed["flyte-wandb"] = _own_version(both[1])
    packages = ", ".join(f"{name} {installed[name]}" for name in _VERSIONS)
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    return f"{today}; Python {platform.python_version()}, {packages}; {machine()}; {minutes:.1f} minutes."


def _own_version(arm: Arm) -> str:
    """Return the version of the wheel, which pip's freeze names by the file that it came from."""
    (line,) = (line for line in frozen(arm.python) if line.startswith("flyte-wandb"))
    return line.rpartition("flyte_wandb-")[2].partition("-")[0]
