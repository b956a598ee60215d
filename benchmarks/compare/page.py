"""The rows of the page: two tables, and why ours is worse where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from .._experiments import Measured
from .._pages import write_list, write_table
from .._rows import Declaration
from .._samples import Samples, rounded

RIGHT: Final = ""
"""What happened in a case that is as it is to be."""
_LENGTH: Final = 160
"""Characters of what happened in a wrong case."""
_ARMS: Final = ("existing plugin", "flyte-wandb")
_TIMED: Final = ("what", *_ARMS, "flyte-wandb / existing", "n")
_COUNTED: Final = ("right of all", *_ARMS, *(f"first wrong: {arm}" for arm in _ARMS))


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One row."""

    cells: list[str]
    worse: bool  # whether ours is slower by more than the wider of the two spreads, or right in fewer cases
    why: str = ""  # why it may be
    note: str = ""  # what holds for both, such as a size


def compare_times(declarations: Sequence[Declaration], measured: Measured) -> list[Compared]:
    """Return the rows of a group as they are declared; a note may name the medians of ``links``, ours first."""
    links = [median(one) for name, both in measured.items() if name.endswith(".links") for one in both]
    rows = []
    for row in declarations:
        ours, theirs = (Samples(values, row.unit) for values in measured[row.value])
        more, spread = ours.median - theirs.median, max(ours.iqr, theirs.iqr)
        close = " (within the spread)" if abs(more) <= spread else ""
        ratio = f"{ours.median / theirs.median:.2f} x{close}" if theirs.median > 0 else "-"
        cells = [row.what, _write_range(theirs), _write_range(ours), ratio, str(len(ours.values))]
        worse = more > spread and not row.same
        rows.append(Compared(cells=cells, worse=worse, why=row.why, note=row.note.format(links=links)))
    return rows


def _write_range(samples: Samples) -> str:
    """Write the median and the whole range."""
    low, high = (rounded(pick(samples.values) * samples.unit.scale) for pick in (min, max))
    return f"{samples.unit.write(samples.median)} [{low}-{high}]"


def compare_answers(what: str, ours: Mapping[str, str], theirs: Mapping[str, str], why: str = "") -> Compared:
    """Return the row of a question, of which each arm has what happened in each case.

    >>> compare_answers("letters", {"a": "", "b": "it is | red"}, {"a": "", "b": ""}).cells
    ['letters', '2 of 2', '1 of 2', '-', 'b: it is / red']
    """
    tallies, wrong = [], []
    for answers in (theirs, ours):
        faults = [f"{case}: {happened}" for case, happened in answers.items() if happened != RIGHT]
        tallies.append(f"{len(answers) - len(faults)} of {len(answers)}")
        wrong.append(shorten(faults[0]) if faults else "-")
    worse = list(ours.values()).count(RIGHT) < list(theirs.values()).count(RIGHT)
    return Compared(cells=[what, *tallies, *wrong], worse=worse, why=why)


def shorten(text: str) -> str:
    """Cut a text to what a cell of a table holds, and keep it from ending the cell."""
    line = " ".join(text.replace("|", "/").split())
    return line if len(line) <= _LENGTH else f"{line[: _LENGTH - 1]}…"


def write_tables(timed: Sequence[Compared], failed: Sequence[str], counted: Sequence[Compared]) -> str:
    """Return both tables, each with what is to be known of it; one without rows is left out."""
    lines: list[str] = []
    if timed or failed:
        notes = [*dict.fromkeys(filter(None, (row.note for row in timed)))]
        notes += [f"Not measured: {shorten(one)}" for one in failed]
        lines += ["", "## Time and memory", "", write_table(_TIMED, (row.cells for row in timed))]
        lines += ["", write_list(notes)] if notes else []
        lines += _write_reasons("Slower or larger than the existing plugin", timed)
    if counted:
        lines += ["", "## What is right", "", write_table(_COUNTED, (row.cells for row in counted))]
        lines += _write_reasons("Fewer right than with the existing plugin", counted)
    return "\n".join(lines)


def _write_reasons(title: str, rows: Sequence[Compared]) -> list[str]:
    """Say why for every row in which ours is worse."""
    reasons = [f"{row.cells[0]}: {row.why or 'no reason is known.'}" for row in rows if row.worse]
    return ["", f"{title}:", "", write_list(reasons)] if reasons else []
