"""Timed: imports, and starts until the user's code, each process through Flyte's real entry point."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import WandbServer

from .. import _note
from .._imports import Import, imported
from .._progress import ticker
from .._ranks import SKIPS
from .._samples import Samples, alternated
from ._arms import Arm
from ._place import place
from ._timed import Task, Timed

_LATER: Final = "W&B's client is loaded when a run is opened."
_LOADED_WHY: Final = "ours loads pluggy and the plugins (1.2 MiB) and has more modules of its own (0.4 MiB)."


def imports(task: Task) -> list[Timed]:
    """Measure the import of the decorator, alone and with W&B's client, which every process with a run needs."""
    alone = _imports(task, "from {package} import wandb_init", "imports")
    both = _imports(task, "from {package} import wandb_init; import wandb", "imports with wandb")
    return [
        Timed(what="import: time", theirs=_of(alone[0], "import_time"), ours=_of(alone[1], "import_time")),
        Timed(what="import: peak memory", theirs=_of(alone[0], "peak"), ours=_of(alone[1], "peak")),
        Timed(what="import: modules loaded", theirs=_modules(alone[0]), ours=_modules(alone[1])),
        Timed(
            what="import of the package and of wandb: time",
            theirs=_of(both[0], "import_time"),
            ours=_of(both[1], "import_time"),
        ),
    ]


def _imports(task: Task, what: str, name: str) -> list[list[Import]]:
    arms = [partial(imported, what.format(package=arm.package), task.folder, str(arm.python)) for arm in task.arms]
    for warm_up in arms:
        warm_up()
    rounds = task.times(9, 3)
    return alternated(rounds, arms, ticker(task.progress, name, rounds))


def _of(found: Sequence[Import], field: str) -> Samples:
    unit, scale = ("MiB", 1.0) if field == "peak" else ("ms", 1e3)
    return Samples([getattr(one, field) for one in found], unit, scale)


def _modules(found: Sequence[Import]) -> Samples:
    return Samples([float(len(one.modules)) for one in found], "", 1)


def starts(task: Task) -> list[Timed]:
    """Measure a rank that skips W&B, and a task of one process that opens its run."""
    from .programs.started import started

    with WandbServer() as server:
        skipping, opening = (
            _started(task, started, environ, name, server)
            for name, environ in (("a rank that skips", SKIPS), ("a task with a run", {"RANK": "0"}))
        )
    skips = "a rank that opens no run, from its start to the user's code"
    opens = "a task of one process, from its start to the user's code with the run open"
    return [
        Timed(what=f"{skips}: time", theirs=skipping[0][0], ours=skipping[1][0], note=_LATER),
        Timed(what=f"{skips}: peak memory", theirs=skipping[0][1], ours=skipping[1][1], note=_LATER),
        Timed(what=f"{opens}: time", theirs=opening[0][0], ours=opening[1][0]),
        Timed(what=f"{opens}: peak memory", theirs=opening[0][1], ours=opening[1][1], why=_LOADED_WHY),
    ]


def _started(task: Task, what: Any, environ: Any, name: str, server: WandbServer) -> list[tuple[Samples, Samples]]:
    arms = [partial(_start, arm, task.folder, what, environ, server) for arm in task.arms]
    for warm_up in arms:
        warm_up()
    rounds = task.times(7)
    found = alternated(rounds, arms, ticker(task.progress, name, rounds))
    return [(Samples([one[0] for one in arm]), Samples([one[1] for one in arm], "MiB", 1)) for arm in found]


def _start(arm: Arm, folder: Path, task: Any, environ: Any, server: WandbServer) -> tuple[float, float]:
    here = place(arm, folder, server)
    started = time.time()
    result = here.container(task, environ=environ, run_name=here.folder.name).wait()
    if result.error:
        raise RuntimeError(result.error)
    reached, peak = _note.read(here.folder, rank=int(environ["RANK"]))
    return reached - started, peak


def worlds(task: Task) -> list[Timed]:
    """Measure two nodes of two ranks under Elastic until every rank is in the user's code with its run."""
    from .programs import ranked

    modes = {"new": ranked.new, "shared": ranked.shared}
    arms = [partial(_until_all, arm, task.folder, what) for what in modes.values() for arm in task.arms]
    rounds = task.times(4, 1)
    found = alternated(rounds, arms, ticker(task.progress, "2 x 2 ranks", rounds))
    times = [Samples(values, "s", 1) for values in found]
    return [
        Timed(
            what=f"2 x 2 ranks under Elastic, run_mode {mode!r}, from the start until all have their run",
            theirs=times[2 * number],
            ours=times[2 * number + 1],
        )
        for number, mode in enumerate(modes)
    ]


def _until_all(arm: Arm, folder: Path, task: Any) -> float:
    with WandbServer() as server:
        here = place(arm, folder, server)
        started = time.time()
        results = here.elastic(task, 2)
    errors = [result.error for result in results if result.error]
    if errors:
        raise RuntimeError(errors[0])
    return max(_note.read(here.folder, rank)[0] for rank in range(4)) - started
