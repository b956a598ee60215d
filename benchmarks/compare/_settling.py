"""Counted: what becomes of settings, of bad ones, and of what is downloaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import RunRecord, WandbServer

from ._arms import Arm
from ._counted import RIGHT, Question
from ._place import place
from ._running import compared, scene_of, written
from .programs.values import VALUES

_ROWS: Final = 5000
_NAMES: Final = {"name": "display_name"}


def _value(arm: Arm, folder: Path, case: str) -> str:
    (run,) = scene_of(arm, folder, case)
    wrong = [_wrong(run, name, wanted) for name, wanted in VALUES[case].items()]
    return next(filter(None, wrong), RIGHT)


def _wrong(run: RunRecord, name: str, wanted: Any) -> str:
    found = getattr(run, _NAMES.get(name, name))
    if isinstance(found, dict):
        found = {key: found.get(key) for key in wanted}
    as_sent = json.loads(json.dumps(wanted))
    return RIGHT if json.loads(json.dumps(found)) == as_sent else f"{found!r}"


_CONTEXTS: Final = {"nested": "a | b", "twice": "a", "foreign": "a"}
_SAID: Final = {
    "a nested config leaves the rest as it is": "nested",
    "one config used twice": "twice",
    "another library's key": "foreign",
}


def _context(arm: Arm, folder: Path, case: str) -> str:
    scene = _SAID[case]
    runs = scene_of(arm, folder, scene)
    if scene == "twice":
        return RIGHT if len(runs) == 2 and {run.project for run in runs} == {"q"} else f"{len(runs)} runs"
    return compared(_CONTEXTS[scene], written(runs, "who"))


def _host(arm: Arm, folder: Path, case: str) -> str:
    with WandbServer() as server:
        if case == "wandb_config(host=)":
            unset = {"WANDB_BASE_URL": "", "COMPARED_HOST": server.url}
            place(arm, folder, server, **unset).program("scenes", "host")
            return RIGHT if len(server.runs) == 1 else f"{len(server.runs)} runs there"
        scene, wanted = _LINKS[case]
        (link,) = place(arm, folder, server).program("scenes", scene)
    host = server.url if "host" in scene else ""
    return RIGHT if link.startswith(host) and wanted in link else str(link).replace(server.url, "(server)")


_LINKS: Final = {
    "the link leads to WANDB_BASE_URL": ("link host", "/local/p/"),
    "the link to a project with a space is quoted": ("link quoted", "/local/the%20vision/"),
}


def _bad(arm: Arm, folder: Path, case: str) -> str:
    said = str(place(arm, folder).program("scenes", f"bad {case.partition('=')[0]}"))
    return RIGHT if case.partition("'")[2].rstrip("'") in said else said


def _downloaded(arm: Arm, folder: Path, case: str) -> str:
    history = [{"loss": 1 / (1 + step)} for step in range(_ROWS)]
    with WandbServer() as server:
        server.put_run("r", project="p", history=history, files={"summary.json": b'"mine"'}, summary={"loss": 1})
        here = place(arm, folder, server)
        here.program("download", "run", "r")
    if case == "a file summary.json of the user":
        files = [path for path in (here.folder / "out").rglob("*") if path.is_file()]
        return RIGHT if any(path.read_bytes() == b'"mine"' for path in files) else "it was overwritten"
    rows = max(_rows(path) for path in (here.folder / "out").rglob("*history*.json*"))
    return RIGHT if rows == _ROWS else f"{rows:,} rows"


def _rows(path: Path) -> int:
    text = path.read_text()
    return len(text.splitlines()) if path.suffix == ".jsonl" else len(json.loads(text))


_BAD: Final = ("run_mode='sahred'", "rank_scope='wroker'")
_HISTORY: Final[Mapping[str, str]] = {f"{_ROWS:,} rows of history": "", "a file summary.json of the user": ""}

SETTLING: Final = (
    Question(what="values of `wandb_config` reach the run as they were", cases=(*VALUES,), ask=_value),
    Question(what="configs nest, are used again, and leave others' keys alone", cases=(*_SAID,), ask=_context),
    Question(what="other hosts and names", cases=("wandb_config(host=)", *_LINKS), ask=_host),
    Question(what="a setting that does not exist is refused by name, before the body", cases=_BAD, ask=_bad),
    Question(what="a download is complete", cases=(*_HISTORY,), ask=_downloaded),
)
