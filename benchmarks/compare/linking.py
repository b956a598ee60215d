"""Counted: which runs the tables' rows open, and whether the links lead there, seen from one launch for many rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from flyte_wandb.testing import RunRecord, WandbServer

from .._place import TIMEOUT, Arm, open_place
from ..programs.linked import CASES, WORLDS, Case
from .cases import write_writers
from .counting import Question, write_error
from .page import RIGHT

_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What came of a case: its runs, the paths of the links, and the first error."""

    runs: list[RunRecord]
    paths: list[str]
    error: str

    @property
    def pages(self) -> set[str]:
        """The pages of its runs and their groups."""
        return set().union(*map(_pages, self.runs))


def _see(arm: Arm, folder: Path, name: str) -> _Seen:
    case = CASES[name]
    with _lock:  # cases are asked for at once, and a launch is for all of them
        runs, links, error, launched = _launch(arm, folder, WORLDS[case.world])
    failed, child = sorted(launched.glob(f"failed-{case.project}-[0-9]")), launched / f"child-{case.project}"
    uris = json.loads(child.read_text()) if child.exists() else links.get(name, [])
    return _Seen(
        runs=[run for run in runs if run.project == case.project],
        paths=[unquote(urlsplit(uri).path).removesuffix("/workspace") for uri in uris],
        error=failed[0].read_text() if failed else error,
    )


@cache
def _launch(arm: Arm, folder: Path, nodes: int) -> tuple[tuple[RunRecord, ...], Mapping[str, list[str]], str, Path]:
    """Run all cases of a world: the runs, the links by case, what went wrong with all of them, and the folder."""
    links: Mapping[str, list[str]] = {}
    with WandbServer() as server:
        here, error = open_place(arm, folder, server.environ), ""
        try:
            links = here.program("linked.render_links")
            run = ("starts.run_elastic", f"linked.on_{nodes}", nodes) if nodes else ("linked.run_alone",)
            here.program(*run, timeout=4 * TIMEOUT)
        except Exception as broken:  # is that of all cases: they are not launched again
            links, error = {}, write_error(broken)
        return server.runs, links, error, here.folder


def _pages(run: RunRecord) -> set[str]:
    project = f"/{run.entity}/{run.project}"
    return {f"{project}/runs/{run.id}"} | ({f"{project}/groups/{run.group}"} if run.group else set())


def _expected_ranks(case: Case) -> str:
    """Say which ranks write to each run, by the tables of both packages' documentation."""
    nodes = WORLDS[case.world]
    ranks = [[2 * node, 2 * node + 1] for node in range(nodes)] or [[0]]
    parts = ranks if case.scope == "worker" else [[rank for node in ranks for rank in node]]
    if case.mode == "auto":
        parts = [part[:1] for part in parts]
    if case.mode == "new":
        parts = [[rank] for part in parts for rank in part]
    return " | ".join(sorted(" ".join(map(str, part)) for part in parts))


def _check_ranks(arm: Arm, folder: Path, name: str) -> str:
    seen = _see(arm, folder, name)
    expected, found = _expected_ranks(CASES[name]), write_writers(seen.runs, "rank")
    fault = f"expected runs with the rows of [{expected}], found [{found}]"
    return seen.error or (RIGHT if found == expected else fault)


def _check_links(arm: Arm, folder: Path, name: str) -> str:
    seen = _see(arm, folder, name)
    wrong = [path for path in seen.paths if path not in seen.pages]
    if not seen.paths:
        return seen.error or "there is no link"
    return RIGHT if not wrong else f"a link to {wrong[0]}, opened were {', '.join(sorted(seen.pages)) or 'no runs'}"


def _check_reach(arm: Arm, folder: Path, name: str) -> str:
    seen = _see(arm, folder, name)
    missed = [run.id for run in seen.runs if not _pages(run) & {*seen.paths}]
    if not seen.runs:
        return seen.error or "no run was opened"
    return RIGHT if not missed else f"no link leads to {missed[0]}"


_PLAIN: Final = tuple(name for name, case in CASES.items() if not case.with_id)
_RANKS: Final = tuple(name for name in _PLAIN if WORLDS[CASES[name].world])
_OWN_LINK: Final = tuple(name for name in _PLAIN if CASES[name].world != "child")
"""Cases in which every run is of the task whose links were rendered; a child's project has its parent's, too."""
_WITH_ID: Final = tuple(name for name, case in CASES.items() if case.with_id)
_COUNT_WHY: Final = (
    "Flyte fixes the number of links when a task is decorated, so a rank scope from the context gets one link, which "
    "leads to the first node's run or group."
)

LINKING: Final = [
    Question(what="ranks open the runs of the documented tables", cases=_RANKS, ask=_check_ranks),
    Question(what="the same with a user's `id=`", cases=_WITH_ID, ask=_check_ranks),
    Question(what="every link is the page of a run or group that is opened", cases=_PLAIN, ask=_check_links),
    Question(what="the same with a user's `id=`: every link", cases=_WITH_ID, ask=_check_links),
    Question(
        what="every run that is opened has a link to it or its group", cases=_OWN_LINK, ask=_check_reach, why=_COUNT_WHY
    ),
]
