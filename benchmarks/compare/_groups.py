"""All rows, by the names of their groups."""

from __future__ import annotations

from typing import Final

from . import _starting, _working
from ._counted import Question
from ._linking import LINKING
from ._running import RUNNING
from ._settling import SETTLING
from ._timed import Measure

MEASURES: Final[dict[str, Measure]] = {
    "imports": _starting.imports,
    "starts": _starting.starts,
    "worlds": _starting.worlds,
    "overhead": _working.overhead,
    "crowds": _working.crowds,
    "declarations": _working.declarations,
    "downloads": _working.downloads,
}

QUESTIONS: Final[dict[str, tuple[Question, ...]]] = {"links": LINKING, "runs": RUNNING, "settings": SETTLING}
