"""Counted: which runs the tables' rows open, and whether the links lead there, seen from one launch for each case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from flyte_wandb.testing import RunRecord, WandbServer

from .._processes import TIMEOUT, Arm, make_folder, run_program
from .cases import write_writers
from .counting import Question, write_error
from .page import RIGHT

_WORLDS: Final[dict[str, int]] = {"1": 0, "child": 0, "1 x 2": 1, "2 x 2": 2}
"""Worlds by name, with the number of nodes that have two ranks each."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One case: its name, the number of nodes, where the settings stand, and which ranks are to write to each run."""

    name: str
    nodes: int
    source: str
    settings: dict[str, Any]
    ranks: str


def _cases() -> Iterator[_Case]:
    for world, nodes in _WORLDS.items():
        yield _case(world, "default", "auto", "global", False)
        for mode in ("auto", "new") if world == "1" else ("auto", "shared", "new"):
            for scope in ("global",) if world == "child" else ("global", "worker"):
                for source in ("decorator", "context"):
                    for with_id in (False, True) if nodes else (False,):
                        yield _case(world, source, mode, scope, with_id)


def _case(world: str, source: str, mode: str, scope: str, with_id: bool) -> _Case:
    """Return a case, whose project is named after it."""
    default = source == "default"
    name = ", ".join([world, *(() if default else (mode, scope)), source, *(["id"] if with_id else [])])
    settings = {"project": re.sub(r"\W", "-", name), "entity": "local", **({"id": "exp"} if with_id else {})}
    settings |= {} if default else {"run_mode": mode, "rank_scope": scope}
    ranks, source = _expected_ranks(_WORLDS[world], mode, scope), source.replace("default", "context")
    return _Case(name=name, nodes=_WORLDS[world], source=source, settings=settings, ranks=ranks)


def _expected_ranks(nodes: int, mode: str, scope: str) -> str:
    """Say which ranks write to each run, by the tables of both packages' documentation."""
    ranks = [[2 * node, 2 * node + 1] for node in range(nodes)] or [[0]]
    parts = ranks if scope == "worker" else [[rank for node in ranks for rank in node]]
    if mode == "auto":
        parts = [part[:1] for part in parts]
    if mode == "new":
        parts = [[rank] for part in parts for rank in part]
    return " | ".join(sorted(" ".join(map(str, part)) for part in parts))


_CASES: Final = {case.name: case for case in _cases()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What came of a case: its runs, the paths of the links, and the error."""

    runs: tuple[RunRecord, ...]
    paths: list[str]
    error: str


@cache  # for all questions on a case
def _see(arm: Arm, folder: Path, name: str) -> _Seen:
    case, uris, error = _CASES[name], [], ""
    said = json.dumps({"nodes": case.nodes, "settings": case.settings, "source": case.source})
    with WandbServer() as server:
        own = make_folder(folder)
        options: dict[str, Any] = {"server": server.environ, "timeout": 4 * TIMEOUT, "CASE": said}
        try:
            if name.startswith("child"):
                uris = run_program(arm, own, "linked.run_child", **options)
            else:
                uris, context = run_program(arm, own, "linked.render_links", **options)
                start = (
                    ("starts.run_elastic", "linked.task", case.nodes) if case.nodes else ("starts.run", "linked.task")
                )
                run_program(arm, own, *start, {}, context, **options)
        except Exception as broken:
            error = write_error(broken)
    paths = [unquote(urlsplit(uri).path).removesuffix("/workspace") for uri in uris]
    return _Seen(runs=server.runs, paths=paths, error=error)


def _pages(run: RunRecord) -> set[str]:
    project = f"/{run.entity}/{run.project}"
    return {f"{project}/runs/{run.id}"} | ({f"{project}/groups/{run.group}"} if run.group else set())


def _check_ranks(arm: Arm, folder: Path, name: str) -> str:
    seen, expected = _see(arm, folder, name), _CASES[name].ranks
    found = write_writers(seen.runs, "rank")
    fault = f"expected runs with the rows of [{expected}], found [{found}]"
    return seen.error or (RIGHT if found == expected else fault)


def _check_links(arm: Arm, folder: Path, name: str) -> str:
    seen = _see(arm, folder, name)
    pages = {page for run in seen.runs for page in _pages(run)}
    wrong = [path for path in seen.paths if path not in pages]
    if not seen.paths:
        return seen.error or "there is no link"
    return RIGHT if not wrong else f"a link to {wrong[0]}, opened were {', '.join(sorted(pages)) or 'no runs'}"


def _check_reach(arm: Arm, folder: Path, name: str) -> str:
    seen = _see(arm, folder, name)
    missed = [run.id for run in seen.runs if not _pages(run) & {*seen.paths}]
    if not seen.runs:
        return seen.error or "no run was opened"
    return RIGHT if not missed else f"no link leads to {missed[0]}"


_WITH_ID: Final = [name for name in _CASES if name.endswith(", id")]
_PLAIN: Final = [name for name in _CASES if name not in _WITH_ID]
_RANKS: Final = [name for name in _PLAIN if _CASES[name].nodes]
_OWN_LINK: Final = [name for name in _PLAIN if not name.startswith("child")]
"""Cases in which every run is of the task whose links were rendered; beside a child's is its parent's."""
_WHY: Final = """\
Flyte fixes the number of links when a task is decorated, so a rank scope from the context gets one link, which leads \
to the first node's run or group."""

LINKING: Final = [
    Question(what="ranks open the runs of the documented tables", cases=_RANKS, ask=_check_ranks),
    Question(what="the same with a user's `id=`", cases=_WITH_ID, ask=_check_ranks),
    Question(what="every link is the page of a run or group that is opened", cases=_PLAIN, ask=_check_links),
    Question(what="the same with a user's `id=`: every link", cases=_WITH_ID, ask=_check_links),
    Question(
        what="every run that is opened has a link to it or its group", cases=_OWN_LINK, ask=_check_reach, why=_WHY
    ),
]
