"""Run the same programs against the existing plugin and against flyte-wandb, taking turns, and print both side by side.

``python benchmarks/compare/run.py [--quick] [--only GROUP ...] [--markdown FILE]`` makes an environment for each below
``build/compare``, which later runs use again.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

# A script's own folder is on the path, its repository is not.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks._command import make_parser, parse_groups
from benchmarks._experiments import Measured, compare
from benchmarks._pages import fill_page, publish
from benchmarks._processes import ROOT
from benchmarks._rows import Group, read_groups
from benchmarks._session import open_session
from benchmarks.compare.arms import Arms, list_versions, make_arms
from benchmarks.compare.counting import count_cases, write_error
from benchmarks.compare.page import Compared, compare_times, write_tables

_COUNTED: Final = ("links", "runs", "faults", "code", "settings")


def main() -> int:
    """Compare, show the page and return 0: there is no limit that could be missed."""
    started, groups = time.perf_counter(), read_groups("comparison")
    arguments = parse_groups(make_parser("compare/run.py", __doc__), [*groups, *_COUNTED])
    arms = make_arms(ROOT / "build" / "compare")
    tables = write_tables(*_measure(arms, groups, arguments))
    versions = list_versions(arms)
    page = fill_page("comparison", started=started, packages=versions, title=arguments.title, tables=tables)
    publish(page, arguments.markdown)
    return 0


def _measure(
    arms: Arms, groups: dict[str, Group], arguments: argparse.Namespace
) -> tuple[list[Compared], list[str], list[Compared]]:
    timed: list[Compared] = []
    failed: list[str] = []
    with open_session(quick=arguments.quick) as session:
        for name in filter(groups.__contains__, arguments.only):
            experiments, declarations = groups[name]
            measured: Measured = {}
            try:
                for each, experiment in experiments.items():
                    measured |= compare(session, each, experiment, *arms)
                timed += compare_times(declarations, measured)
            except Exception as error:
                failed.append(f"{name}: {write_error(error)}")
        # They import flyte and wandb, which have to see the scratch folder's environment.
        from benchmarks.compare.cases import read_questions
        from benchmarks.compare.linking import LINKING

        counted = {"links": LINKING, **read_questions()}
        questions = [question for name in arguments.only for question in counted.get(name, ())]
        most = 2 if arguments.quick else None
        step = session.bar("cases", len(arms) * sum(len(question.cases[:most]) for question in questions))
        return timed, failed, count_cases(questions, arms, session.folder, step, most)


if __name__ == "__main__":
    sys.exit(main())
