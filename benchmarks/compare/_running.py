"""Counted: whose run it is that tasks in one process write to, how runs end, and what another attempt keeps."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import ContainerResult, RunRecord, WandbServer

from ._arms import Arm
from ._counted import RIGHT, Question
from ._place import free_port, place

_IDENTITY: Final[Mapping[str, str]] = {
    "one after the other": "a | b",
    "at once": "a | b",
    "an auto child": "a a1",
    "a shared child": "a a1",
    "a new child": "a | a1",
    "a child and its child": "a a1 a11",
    "auto children of two parents at once": "a a1 | b b1",
    "shared children of two parents at once": "a a1 | b b1",
    "new children of two parents at once": "a | a1 | b | b1",
    "two actions of one container": "a | b",
    "two actions of one container at once": "a | b",
}
"""Scenes, and who is to write to a run together."""


def _whose(arm: Arm, folder: Path, scene: str) -> str:
    return compared(_IDENTITY[scene], written(scene_of(arm, folder, scene), "who"))


def _override(arm: Arm, folder: Path, scene: str) -> str:
    if scene.startswith("links"):
        found = place(arm, folder).program("scenes", scene)
        return RIGHT if len(found) == 1 else f"{len(found)} links"
    return compared("a", written(scene_of(arm, folder, scene), "who"))


def scene_of(arm: Arm, folder: Path, scene: str, *, may_fail: bool = False) -> tuple[RunRecord, ...]:
    """Run a scene that writes to a server of its own, and return the runs there.

    Raises:
        RuntimeError: The scene fails, and may not.
    """
    with WandbServer() as server:
        try:
            place(arm, folder, server).program("scenes", scene)
        except RuntimeError:
            if not may_fail or not server.runs:
                raise
        return server.runs


def written(runs: Iterable[RunRecord], key: str) -> str:
    """Say what was written to each run under a key, without repetitions."""
    return " | ".join(sorted(" ".join(sorted({str(value) for value in run.logged(key)})) for run in runs))


def compared(expected: str, found: str) -> str:
    """Say what was found where it is not what was expected."""
    return RIGHT if found == expected else f"expected runs with the rows of [{expected}], found [{found}]"


def _container(arm: Arm, folder: Path, server: WandbServer, name: str, **environ: str) -> list[ContainerResult]:
    from .programs import elastic, tasks

    here = place(arm, folder, server, **environ)
    module, _, task = name.partition(".")
    if module == "elastic":
        return here.elastic(getattr(elastic, task), 1)
    return [here.container(getattr(tasks, task), context=_SWEEP if task == "agent" else {}).wait()]


_SWEEP: Final = {
    "wandb_sweep_method": "grid",
    "wandb_sweep_parameters": '{"x": {"values": [1]}}',
    "wandb_sweep_project": "p",
    "wandb_sweep_entity": "local",
}
_ENDS: Final[Mapping[str, tuple[str, str, int]]] = {
    "ends well": ("tasks.logs", "finished", 1),
    "raises, in local mode": ("raises", "failed", 1),
    "is cancelled": ("cancels", "failed", 1),
    "raises, in a container": ("tasks.raises", "failed", 1),
    "SystemExit(3)": ("tasks.exits", "failed", 1),
    "the rank with the run raises": ("elastic.rank_0_fails", "failed", 1),
    "one of two ranks with runs raises": ("elastic.rank_1_fails", "failed", 2),
    "a trial of a sweep raises": ("tasks.agent", "failed", 1),
}
"""What is run, the state that the run of the last rank is to have, and how many runs there are to be."""


def _end(arm: Arm, folder: Path, case: str) -> str:
    name, state, count = _ENDS[case]
    runs = _runs(arm, folder, name)
    last = max(runs, key=lambda run: run.id, default=None)
    if last is None or len(runs) != count:
        return f"{len(runs)} runs"
    return RIGHT if last.state == state else f"{last.state!r} with exit code {last.exit_code}"


def _runs(arm: Arm, folder: Path, name: str) -> tuple[RunRecord, ...]:
    if "." not in name:
        return scene_of(arm, folder, name, may_fail=True)
    with WandbServer() as server:
        _container(arm, folder, server, name)
        return server.runs


_RETRIES: Final = {
    "in local mode": "retried",
    "in a container": "tasks.fails_at_first",
    "of two ranks, one with a run": "elastic.fails_at_first",
}
_KEPT: Final = [0, 1, 2, 10, 11]


def _kept(arm: Arm, folder: Path, case: str) -> str:
    runs = _attempts(arm, folder, _RETRIES[case])
    rows = [value for run in runs for value in run.logged("row")]
    states = ", ".join(run.state for run in runs)
    if (rows, states) == (_KEPT, "finished"):
        return RIGHT
    return f"{sum(row in rows for row in _KEPT)} of {len(_KEPT)} rows kept in {len(runs)} runs ({states})"


def _attempts(arm: Arm, folder: Path, name: str) -> tuple[RunRecord, ...]:
    if "." not in name:
        return scene_of(arm, folder, name)
    with WandbServer() as server:
        for attempt in ("0", "1"):
            _container(arm, folder, server, name, FLYTE_ATTEMPT_NUMBER=attempt)
        return server.runs


_OFFLINE: Final[Mapping[str, tuple[str, str, dict[str, Any]]]] = {
    "WANDB_MODE=offline": ("logs", "offline", {}),
    "WANDB_MODE=disabled": ("logs", "disabled", {}),
    "decorator, offline": ("offline", "", {}),
    "decorator, disabled": ("disabled", "", {}),
    "context, offline": ("logs", "", {"wandb_mode": "offline"}),
    "context, disabled": ("logs", "", {"wandb_mode": "disabled"}),
    "WANDB_MODE=offline, no key": ("logs", "offline", {}),
    "WANDB_MODE=disabled, no key": ("logs", "disabled", {}),
    "WANDB_MODE=offline, shared by two ranks": ("", "offline", {}),
}


def _offline(arm: Arm, folder: Path, case: str) -> str:
    from .programs import elastic, tasks

    name, mode, context = _OFFLINE[case]
    with WandbServer() as server:
        key = {"WANDB_API_KEY": ""} if "no key" in case else {}
        here = place(arm, folder, server, WANDB_MODE=mode, **key)
        if name:
            results = [here.container(getattr(tasks, name), context=context).wait()]
        else:
            results = here.elastic(elastic.shares, 1)
        errors = [result.error for result in results if result.error]
        if errors:
            return f"the task failed: {errors[0]}"
        return f"{len(server.runs)} runs were uploaded" if server.runs else RIGHT


_OUTAGES: Final[Mapping[str, dict[str, str]]] = {
    "the server is down": {},
}
_PATIENCE: Final = 60.0
_OUTAGE_LIMIT: Final = 120.0


def _outage(arm: Arm, folder: Path, case: str) -> str:
    from .programs import tasks

    unreachable = {"WANDB_BASE_URL": f"http://127.0.0.1:{free_port()}", "WANDB_API_KEY": "0" * 40, "WANDB_MODE": ""}
    started = time.monotonic()
    try:
        container = place(arm, folder, None, **unreachable).container(tasks.logs, context=_OUTAGES[case])
        error = container.wait(_OUTAGE_LIMIT).error
    except subprocess.TimeoutExpired:
        return f"it had not ended after {_OUTAGE_LIMIT:.0f} s"
    took = time.monotonic() - started
    return RIGHT if took < _PATIENCE else f"it ended after {took:.0f} s, with {error or 'success'}"


RUNNING: Final = (
    Question(what=f"an outage costs less than {_PATIENCE:.0f} s", cases=(*_OUTAGES,), ask=_outage),
    Question(what="tasks in one process write to their own run, or to their parent's", cases=(*_IDENTITY,), ask=_whose),
    Question(
        what="`.override()` and registration keep run and link",
        cases=("override async", "override sync", "links overridden", "links registered"),
        ask=_override,
    ),
    Question(what="the run has the state that its task, rank or trial ended with", cases=(*_ENDS,), ask=_end),
    Question(what="a second attempt keeps the rows of the first, and ends well", cases=(*_RETRIES,), ask=_kept),
    Question(what="offline and disabled are honoured in a container", cases=(*_OFFLINE,), ask=_offline),
)
