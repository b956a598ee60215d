"""Timed: tasks and children in one process, large declarations, downloads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, Final

from flyte_wandb.testing import WandbServer

from .._downloads import put_files, put_sweep
from .._progress import ticker
from .._samples import Samples, alternated
from ._arms import Arm
from ._place import place
from ._timed import Task, Timed

_CHILDREN: Final = 50
_LATENCY: Final = 0.03
_OVERHEAD_WHY: Final = (
    "ours asks its hooks for a plan, handles SIGTERM and W&B's Stop, and tells the run which action opened it; in an "
    "async task it opens and finishes the run in threads, which keeps the event loop free, where theirs blocks it."
)
_THREADS_WHY: Final = "ours opens and finishes runs in threads, which take turns with the event loop for Python's lock."
_FIRST_WHY: Final = "the first one in a process loads the plugins, which are then asked for the parts of the world."
_CHECK_WHY: Final = (
    "the first link of a process loads W&B's client, which theirs has loaded at its import; then ours plans the first "
    "256 ranks again for each link, to see that no two own one run, where theirs puts a text together."
)
_LARGE: Final = "Elastic(nnodes=1000, nproc_per_node=8)"


def overhead(task: Task) -> list[Timed]:
    """Measure sync and async tasks in local mode, offline."""
    return [row for kind in ("sync", "async") for row in _overhead(task, kind)]


def _overhead(task: Task, kind: str) -> list[Timed]:
    calls = str(task.times(40, 10))
    found = _alternated(task, task.times(5), f"overhead, {kind}", partial(_program, task, "overhead", kind, calls))
    bare = [Samples([median(one for one, _ in pairs) for pairs in arm]) for arm in found]
    more = [Samples([median(other - one for one, other in pairs) for pairs in arm]) for arm in found]
    name = f"a decorated {kind} task beyond the bare one and W&B's own init and finish"
    return [
        Timed(what=f"a bare {kind} task in local mode, for reference", theirs=bare[0], ours=bare[1]),
        Timed(what=name, theirs=more[0], ours=more[1], why=_OVERHEAD_WHY),
    ]


def crowds(task: Task) -> list[Timed]:
    """Measure many children that have runs of their own at once, offline."""
    measure = partial(_program, task, "crowd", str(_CHILDREN))
    found = _alternated(task, task.times(5), "concurrent children", measure)
    walls, blocks = ([Samples([one[column] for one in arm]) for arm in found] for column in (0, 1))
    name = f"{_CHILDREN} concurrent children with runs of their own"
    return [
        Timed(what=f"{name}: all done", theirs=walls[0], ours=walls[1], why=_THREADS_WHY),
        Timed(what=f"{name}: longest block of the event loop", theirs=blocks[0], ours=blocks[1]),
    ]


def declarations(task: Task) -> list[Timed]:
    """Measure the decoration of a large task, and the rendering of its links beyond that of the task."""
    found = _alternated(task, task.times(5), "1,000 nodes", partial(_program, task, "decorated"))
    took, rendered = ([Samples([one[column] for one in arm]) for arm in found] for column in (0, 1))
    theirs, ours = (int(arm[0][2]) for arm in found)
    note = f"{_LARGE}: the existing plugin has {theirs:,} links; ours {ours:,}, one of them to what all share."
    return [
        Timed(what=f"decorating a task of {_LARGE}", theirs=took[0], ours=took[1], why=_FIRST_WHY, note=note),
        Timed(what=f"rendering the links of {_LARGE}", theirs=rendered[0], ours=rendered[1], why=_CHECK_WHY),
    ]


def downloads(task: Task) -> list[Timed]:
    """Measure downloads from a server that needs some time for every answer."""
    with WandbServer() as server:
        put_files(server)
        names = {"run": "files", "sweep": put_sweep(server)}
        server.slow("*", _LATENCY)
        program = partial(_program, task, "download", server=server)
        found = {
            what: _alternated(task, task.times(3, 1), f"download of a {what}", partial(program, what, name))
            for what, name in names.items()
        }
    said = {"run": "a run of 64 files", "sweep": "a sweep of 100 runs"}
    return [
        Timed(
            what=f"downloading {said[what]} from a server that takes {_LATENCY * 1e3:.0f} ms for each answer",
            theirs=Samples(theirs, "s", 1),
            ours=Samples(ours, "s", 1),
        )
        for what, (theirs, ours) in found.items()
    ]


def _program(task: Task, name: str, *arguments: str, arm: Arm, server: WandbServer | None = None) -> Any:
    return place(arm, task.folder, server).program(name, *arguments)


def _alternated(task: Task, rounds: int, name: str, measure: Callable[..., Any]) -> list[list[Any]]:
    return alternated(rounds, [partial(measure, arm=arm) for arm in task.arms], ticker(task.progress, name, rounds))
