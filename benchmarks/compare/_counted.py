"""Rows that are counted: cases that are right or wrong, each judged by what really happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ._arms import Arm

RIGHT: Final = ""
_AT_ONCE: Final = 3
_ERROR: Final = re.compile(r"[\w.]*(Error|Exception|Exit)\b.*: ")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row to be counted.

    Attributes:
        what: What is counted.
        cases: Names of the cases.
        ask: Says what happened in a case, or `RIGHT`; what it raises is what happened.
        why: Why ours may be worse; shown only where it is.
    """

    what: str
    cases: tuple[str, ...]
    ask: Callable[[Arm, Path, str], str]
    why: str = ""

    def first(self, count: int | None) -> Question:
        """Return the same with the first cases only; None keeps all."""
        return replace(self, cases=self.cases[:count])


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The answers to a question: of each arm, what happened in each case."""

    question: Question
    theirs: Mapping[str, str]
    ours: Mapping[str, str]

    @property
    def worse(self) -> bool:
        """Whether fewer of our cases are right."""
        return _right(self.ours) < _right(self.theirs)


def counted(
    questions: Sequence[Question], arms: tuple[Arm, Arm], folder: Path, tick: Callable[[], None]
) -> list[Counted]:
    """Ask every question of both arms; a case that crashes is a wrong one and stops nothing."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:

        def start(question: Question, case: str, arm: Arm) -> Callable[[], str]:
            job = pool.submit(_happened, question, case, arm, folder)
            job.add_done_callback(lambda _: tick())
            return job.result

        asked = [
            (question, [(case, [start(question, case, arm) for arm in arms]) for case in question.cases])
            for question in questions
        ]
        return [_answered(question, jobs) for question, jobs in asked]


def last_line(text: str) -> str:
    """Return the last line that names an error, or else the last one that says something.

    >>> last_line("Traceback:\\n  File x\\nValueError: no\\nwandb: bye\\n")
    'ValueError: no'
    """
    lines = [line.strip("│ ") for line in text.splitlines() if line.strip("│ ")]
    named = [line for line in lines if _ERROR.match(line)]
    return (named or lines or ["it failed and said nothing"])[-1]


def tally(answers: Mapping[str, str]) -> str:
    """Say how many are right.

    >>> tally({"a": "", "b": "it is red"})
    '1 of 2'
    """
    return f"{_right(answers)} of {len(answers)}"


def first_wrong(answers: Mapping[str, str]) -> str:
    """Name the first wrong case and what happened.

    >>> first_wrong({"a": "", "b": "it is red"})
    'b: it is red'
    """
    return next((f"{case}: {happened}" for case, happened in answers.items() if happened != RIGHT), "-")


def _right(answers: Mapping[str, str]) -> int:
    return list(answers.values()).count(RIGHT)


def _happened(question: Question, case: str, arm: Arm, folder: Path) -> str:
    try:
        return question.ask(arm, folder, case)
    except Exception as error:
        return said(error)


def said(error: Exception) -> str:
    """Say an error in one line; what a program said is an error already."""
    text = last_line(str(error))
    return text if isinstance(error, RuntimeError) else f"{type(error).__name__}: {text}"


def _answered(question: Question, jobs: list[tuple[str, list[Callable[[], str]]]]) -> Counted:
    both = [(case, *(job() for job in pair)) for case, pair in jobs]
    theirs, ours = ({answer[0]: answer[place] for answer in both} for place in (1, 2))
    return Counted(question=question, theirs=theirs, ours=ours)
