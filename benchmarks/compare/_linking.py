"""Counted: which runs the tables' rows open, and whether the links lead there, seen from one launch for many rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from flyte_wandb.testing import RunRecord, WandbServer

from ._arms import Arm
from ._counted import RIGHT, Question, said
from ._place import Place, place
from ._running import compared, written
from .programs.linked import CASES, WORLDS, Case

_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launched:
    """What came of the cases of a world: the runs, and by case the links and the first error."""

    runs: tuple[RunRecord, ...]
    links: Mapping[str, list[str]]
    errors: Mapping[str, str]


def _launched(arm: Arm, folder: Path, world: str) -> _Launched:
    with _lock:  # cases are asked for at once, and a launch is for all of them
        return _launch(arm, folder, 0 if world == "child" else WORLDS[world])


@cache
def _launch(arm: Arm, folder: Path, nodes: int) -> _Launched:
    with WandbServer() as server:
        here = place(arm, folder, server)
        try:
            links, broken = _run(here, nodes), None
        except Exception as error:  # is that of all cases: they are not launched again
            links, broken = {}, said(error)
    for name, case in CASES.items():
        child = here.folder / f"child-{case.project}"
        if child.exists():
            links[name] = [uri for link in json.loads(child.read_text()) for uri in link.values()]
    return _Launched(runs=server.runs, links=links, errors=dict(_errors(here.folder, broken)))


def _run(here: Place, nodes: int) -> dict[str, list[str]]:
    from .programs import linked

    links: dict[str, list[str]] = here.program("linked", "links")
    if not nodes:
        here.program("linked", "alone")
        return links
    results = here.elastic(linked.one if nodes == 1 else linked.two, nodes)
    errors = [result.error for result in results if result.error]
    if errors:
        raise RuntimeError(errors[0])
    return links


def _errors(folder: Path, broken: str | None) -> Iterator[tuple[str, str]]:
    for name, case in CASES.items():
        failed = sorted(folder.glob(f"failed-{case.project}-[0-9]"))
        if failed or broken:
            yield name, failed[0].read_text() if failed else str(broken)


def _ranks(case: Case) -> str:
    """Say which ranks write to each run, by the tables of both packages' documentation."""
    nodes = max(WORLDS[case.world], 1)
    ranks = [[2 * node, 2 * node + 1] for node in range(nodes)] if WORLDS[case.world] else [[0]]
    parts = ranks if case.scope == "worker" else [[rank for node in ranks for rank in node]]
    if case.mode == "auto":
        parts = [part[:1] for part in parts]
    if case.mode == "new":
        parts = [[rank] for part in parts for rank in part]
    return " | ".join(sorted(" ".join(map(str, part)) for part in parts))


def _opened(arm: Arm, folder: Path, name: str) -> str:
    case = CASES[name]
    launched = _launched(arm, folder, case.world)
    if name in launched.errors:
        return launched.errors[name]
    return compared(_ranks(case), written(_own(launched, case), "rank"))


def _own(launched: _Launched, case: Case) -> list[RunRecord]:
    return [run for run in launched.runs if run.project == case.project]


def _pages(run: RunRecord) -> set[str]:
    place_of = f"/{run.entity}/{run.project}"
    return {f"{place_of}/runs/{run.id}"} | ({f"{place_of}/groups/{run.group}"} if run.group else set())


def _paths(launched: _Launched, name: str) -> list[str]:
    return [unquote(urlsplit(uri).path).removesuffix("/workspace") for uri in launched.links.get(name, [])]


def _matching(arm: Arm, folder: Path, name: str) -> str:
    launched = _launched(arm, folder, CASES[name].world)
    paths, pages = _paths(launched, name), set().union(*map(_pages, _own(launched, CASES[name])))
    wrong = [path for path in paths if path not in pages]
    if not paths:
        return launched.errors.get(name, "there is no link")
    return RIGHT if not wrong else f"a link to {wrong[0]}, opened were {', '.join(sorted(pages)) or 'no runs'}"


def _reached(arm: Arm, folder: Path, name: str) -> str:
    launched = _launched(arm, folder, CASES[name].world)
    paths, runs = set(_paths(launched, name)), _own(launched, CASES[name])
    missed = [run.id for run in runs if not _pages(run) & paths]
    if not runs:
        return launched.errors.get(name, "no run was opened")
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

LINKING: Final = (
    Question(what="ranks open the runs of the documented tables", cases=_RANKS, ask=_opened),
    Question(what="the same with a user's `id=`", cases=_WITH_ID, ask=_opened),
    Question(what="every link is the page of a run or group that is opened", cases=_PLAIN, ask=_matching),
    Question(what="the same with a user's `id=`: every link", cases=_WITH_ID, ask=_matching),
    Question(
        what="every run that is opened has a link to it or its group", cases=_OWN_LINK, ask=_reached, why=_COUNT_WHY
    ),
)
