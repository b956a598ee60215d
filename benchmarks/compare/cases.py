"""Counted: the cases of `cases.yaml`, each of which says what runs and what is to come of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from flyte_wandb.testing import RunRecord, WandbServer

from .._processes import TIMEOUT, Arm, make_folder, run_program
from .counting import Question, write_error
from .page import RIGHT

Case = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a case."""

    runs: tuple[RunRecord, ...]  # on the server
    value: Any  # what the program returned
    error: str  # the first one, or ""
    seconds: float
    url: str  # of the server


def read_questions() -> dict[str, list[Question]]:
    """Return the questions of the file by the names of their groups."""
    groups = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())
    return {
        group: [Question(what=what, cases=(*cases,), ask=partial(_ask, cases)) for what, cases in questions.items()]
        for group, questions in groups.items()
    }


def _ask(cases: Mapping[str, Case], arm: Arm, folder: Path, name: str) -> str:
    """Run a case and say what is not as it is to be."""
    case = cases[name]
    outcome = _run(case, arm, folder)
    if outcome.error and not case.get("fails"):
        return outcome.error
    for key in filter(case.__contains__, CHECKS):
        seen, wanted = CHECKS[key](outcome, case[key]), case[key]
        if json.dumps(seen) != json.dumps(wanted):  # which sees lists in tuples, as the server does
            return f"{key}: expected {wanted}, found {seen}"
    return RIGHT


def _run(case: Case, arm: Arm, folder: Path) -> Outcome:
    """Run the program of a case in so many attempts, each in a place of its own."""
    values, errors, started = [], [], time.monotonic()
    with WandbServer() as server:
        if history := [{"loss": 1 / (1 + step)} for step in range(case.get("history", 0))]:
            server.put_run("r", project="p", history=history, files={"summary.json": b'"mine"'}, summary={"loss": 1})
        for fault in case.get("faults", ()):
            server.fault(**fault)
        for attempt in range(case.get("attempts", 1)):
            own, environ = make_folder(folder), {"FLYTE_ATTEMPT_NUMBER": str(attempt), **case.get("environ", {})}
            arguments = [str(one).replace("URL", server.url) for one in case.get("arguments") or [case["settings"]]]
            # What starts containers waits for them, and ends those that hang.
            timeout = TIMEOUT * (4 if case["program"].startswith("starts.") else 1)
            options: dict[str, Any] = {"server": server.environ, "timeout": timeout, **environ}
            try:
                values.append(run_program(arm, own, case["program"], *arguments, **options))
            except RuntimeError as error:
                errors.append(write_error(error))
    return Outcome(
        runs=server.runs,
        value=values[-1] if values else None,
        error=errors[0] if errors else "",
        seconds=time.monotonic() - started,
        url=server.url,
    )


def write_writers(runs: Iterable[RunRecord], key: str) -> str:
    """Say what was logged to each run under a key, without repetitions."""
    return " | ".join(sorted(" ".join(sorted({str(value) for value in run.logged(key)})) for run in runs))


def _see_state(outcome: Outcome, _: str) -> str | None:
    """Return the state of the last rank's run."""
    last = max(outcome.runs, key=lambda run: run.id, default=None)
    return last.state if last else None


def _see_settings(outcome: Outcome, wanted: Mapping[str, Any]) -> dict[str, Any]:
    (run,) = outcome.runs
    found = {name: getattr(run, "display_name" if name == "name" else name) for name in wanted}
    if "config" in wanted:
        found["config"] = {name: found["config"].get(name) for name in wanted["config"]}
    return found


def _see_link(outcome: Outcome, parts: list[str]) -> list[str] | str:
    """Return the parts where the only link has them all."""
    (link,) = outcome.value
    missing = [part for part in parts if part.replace("URL", outcome.url) not in link]
    return str(link).replace(outcome.url, "URL") if missing else parts


CHECKS: Final[Mapping[str, Callable[[Outcome, Any], Any]]] = {
    "runs": lambda outcome, _: len(outcome.runs),
    "seconds": lambda outcome, most: max(most, round(outcome.seconds)),
    "writers": lambda outcome, _: write_writers(outcome.runs, "who"),
    "state": _see_state,
    "projects": lambda outcome, _: sorted({run.project for run in outcome.runs}),
    "rows": lambda outcome, _: [value for run in outcome.runs for value in run.logged("row")],
    "settings": _see_settings,
    "links": lambda outcome, _: len(outcome.value),
    "link": _see_link,
    "error": lambda outcome, text: text if text in outcome.value else outcome.value,
    "value": lambda outcome, wanted: {name: outcome.value[name] for name in wanted},
}
"""What a case can say that is to come of it, each with what returns that, or what there is in its place."""
