"""Counting cases that are right or wrong, each judged by what really happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .._processes import Arm
from .arms import Arms
from .page import Compared, compare_answers

_ERROR: Final = re.compile(r"[\w.]*(Error|Exception|Exit)\b.*: ")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row to be counted."""

    what: str
    cases: Sequence[str]  # their names
    ask: Callable[[Arm, Path, str], str]  # says what happened in a case, or `RIGHT`; what it raises is what happened
    why: str = ""  # why ours may be worse


def count_cases(
    questions: Sequence[Question], arms: Arms, folder: Path, step: Callable[[], None], most: int | None = None
) -> list[Compared]:
    """Ask every question of both arms, or the first cases of each; one that crashes is wrong and stops nothing."""
    with ThreadPoolExecutor(3) as pool:

        def start(question: Question, arm: Arm, case: str) -> Future[str]:
            job = pool.submit(_ask, question, arm, folder, case)
            job.add_done_callback(lambda _: step())
            return job

        jobs = [
            [{case: start(question, arm, case) for case in question.cases[:most]} for arm in arms]
            for question in questions
        ]
        answers = [[{case: job.result() for case, job in arm.items()} for arm in both] for both in jobs]
    pairs = zip(questions, answers, strict=True)
    return [compare_answers(question.what, ours, theirs, question.why) for question, (ours, theirs) in pairs]


def _ask(question: Question, arm: Arm, folder: Path, case: str) -> str:
    try:
        return question.ask(arm, folder, case)
    except Exception as error:
        return write_error(error)


def write_error(error: Exception) -> str:
    """Write the last line of an error that names one, or else says something; what a program said is an error already.

    >>> write_error(RuntimeError("Traceback:\\n  File x\\nValueError: no\\nwandb: bye\\n"))
    'ValueError: no'
    """
    lines = [line.strip("│ ") for line in str(error).splitlines() if line.strip("│ ")]
    named = [line for line in lines if _ERROR.match(line)]
    text = (named or lines or ["it failed and said nothing"])[-1]
    return text if isinstance(error, RuntimeError) else f"{type(error).__name__}: {text}"
