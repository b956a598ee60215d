"""Drives one case: the double with W&B's limits, the processes, and a look at the requests every second."""

from __future__ import annotations

import itertools
import json
import math
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flyte_wandb import wandb_config
from flyte_wandb.testing import Limits, start_ranks, world_of

from .._double import start_double
from .._processes import HERE, make_folder, run_program
from .._session import isolated
from ..programs.herd import tracked
from .cases import Case

_EVERY: Final = 15.0
"""Seconds between two rows of a rank."""
_TIMEOUT: Final = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Herd:
    """How large it is, and what this machine can do.

    Attributes:
        processes: Processes in which the ranks are, where they are not in containers.
        runs_a_second: The limit of runs that are opened, where it is slowed down, and the setting with it.
        container_seconds: What each container takes to be there.
        margin: Seconds that the ranks go on when the last one should be open.
    """

    processes: int
    runs_a_second: float
    container_seconds: float
    margin: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: The case.
        openers: How many ranks were to open or join a run.
        opened: How many writers the server has.
        failed: Ranks that failed, and why.
        last: Seconds until the last of them was open, after the moment at which all begin; NaN in containers.
        limit: Seconds that the limit of runs itself takes.
        requests: How many requests there were.
        refused: How many of them a limit refused, by its name.
        project: Requests a second of the project: the mean, and the most in a second.
        run: Requests with rows a second of the run with most: the mean, and the most in a second; where the ranks go on
            for a while, only meanwhile.
        logged: Rows that were logged.
        kept: Rows that the server has.
        memory: MiB of the double at its end, above those at its start.
    """

    case: Case
    openers: int
    opened: int
    failed: Sequence[str]
    last: float
    limit: float
    requests: int
    refused: Mapping[str, int]
    project: tuple[float, float]
    run: tuple[float, float]
    logged: int
    kept: int
    memory: float


def drive(case: Case, herd: Herd, folder: Path) -> Outcome:
    """Run a case against a fresh double, in a folder below this one."""
    own, openers = make_folder(folder), case.openers()
    rate = herd.runs_a_second if case.slowed else Limits().run_creations or math.inf
    limit = max(0.0, (len(openers) - rate) / rate)
    about = {
        **{"nodes": case.nodes, "per_node": case.per_node, "by_hand": case.by_hand, "every": _EVERY},
        "seconds": case.seconds or 1.2 * limit + herd.margin,
        "settings": {"run_creations_per_second": rate, **case.settings},
    }
    with start_double(limits=Limits(run_creations=rate)) as ask:
        before = ask("memory")
        with _looking(ask) as looks:
            failed = _RUNS[case.kind](about, herd, own, ask("environ"))
        runs, requests, refused = ask("runs"), ask("requests"), ask("refused")
        memory = ask("memory") - before
    notes = [json.loads(note.read_text()) for note in own.glob("**/rank-*.json")]
    failed += [f"rank {note['rank']}: {note['error']}" for note in notes if "error" in note]
    opened = [note for note in notes if "error" not in note and (case.kind == "trials" or note["rank"] in {*openers})]
    last = max((note["opened"] for note in opened), default=math.nan)
    began, ended = max((note["begins"] for note in opened), default=0.0), min(note["ends"] for note in opened)
    lived = [look for look in looks if not case.seconds or began + last <= look[0] <= ended]
    busiest = max((name for name in requests if name.startswith("file_stream:")), key=requests.__getitem__)
    return Outcome(
        case=case,
        openers=len(openers),
        opened=sum(len(run.writers) for run in runs),
        failed=failed,
        last=math.nan if case.kind == "containers" else last,
        limit=limit,
        requests=requests["*"],
        refused=refused,
        project=_rates(looks, "*"),
        run=_rates(lived, busiest),
        logged=sum(note.get("rows", 0) for note in notes),
        kept=sum(len(run.history) for run in runs),
        memory=memory,
    )


Look = tuple[float, Counter[str]]


@contextmanager
def _looking(ask: Any) -> Iterator[list[Look]]:
    """Look every second how many requests there were, by their names."""
    looks: list[Look] = []
    over = threading.Event()

    def look() -> None:
        while True:
            looks.append((time.time(), ask("requests")))
            if over.wait(1.0):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def _rates(looks: Sequence[Look], name: str) -> tuple[float, float]:
    """Return how many requests a second there were between the first and the last, and how many at most in a second.

    >>> counts = [(0, 0), (1, 2), (2, 8), (3, 8), (4, 10), (5, 10)]
    >>> _rates([(moment, Counter(a=count)) for moment, count in counts], "a")
    (2.5, 6.0)
    """
    busy = [pair for pair in itertools.pairwise(looks) if pair[1][1][name] > pair[0][1][name]]
    if not busy:
        return 0.0, 0.0
    (began, _), (ended, _) = busy[0][0], busy[-1][1]
    counts = [(after[1][name] - before[1][name]) / (after[0] - before[0]) for before, after in busy]
    return (busy[-1][1][1][name] - busy[0][0][1][name]) / (ended - began), max(counts)


def _in_processes(about: Mapping[str, Any], herd: Herd, folder: Path, server: Mapping[str, str]) -> list[str]:
    """Run the ranks in some processes: those of a node in different ones, for they may share a run, and so leaders."""
    shares: dict[int, list[int]] = defaultdict(list)
    for place in world_of(*[about["per_node"]] * about["nodes"]):
        shares[(place.worker_index + place.local_rank) % herd.processes].append(place.rank)
    with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor(len(shares)) as threads:
        said = {**about, "door": door.getsockname()[1]}
        run = _program(folder, server, "herd.run_ranks")
        running = [threads.submit(run, json.dumps({**said, "ranks": ranks})) for ranks in shares.values()]
        _open_door(door, len(running), about["seconds"])
        return [fault for one in running for fault in one.result()]


def _open_door(door: socket.socket, processes: int, seconds: float) -> None:
    """Wait until all processes are there, and tell them when to begin and to end."""
    door.settimeout(_TIMEOUT)
    with ExitStack() as stack:
        waiting = [stack.enter_context(door.accept()[0]) for _ in range(processes)]
        begins = time.time() + 1
        for one in waiting:
            one.sendall(json.dumps({"begins": begins, "ends": begins + seconds}).encode())


def _of_a_sweep(about: Mapping[str, Any], herd: Herd, folder: Path, server: Mapping[str, str]) -> list[str]:
    return _program(folder, server, "herd.run_trials")(json.dumps(about))


def _program(folder: Path, server: Mapping[str, str], target: str) -> Callable[[str], list[str]]:
    def run(about: str) -> list[str]:
        try:
            run_program(HERE, make_folder(folder), target, about, server=server, timeout=_TIMEOUT)
        except RuntimeError as error:
            return [str(error).strip().rpartition("\n")[2]]
        return []

    return run


def _in_containers(about: Mapping[str, Any], herd: Herd, folder: Path, server: Mapping[str, str]) -> list[str]:
    """Run each rank in a container of its own, which opens its run as soon as it is there."""
    nodes = [about["per_node"]] * about["nodes"]
    begins = time.time() + len(nodes) * herd.container_seconds
    inputs = {"begins": begins, "ends": begins + about["seconds"], "every": about["every"]}
    environ = {**isolated(folder), **server, "WANDB_MODE": "online", "WANDB__DISABLE_STATS": "false"}
    context = wandb_config(**about["settings"])
    ranks = start_ranks(tracked, folder=folder, nodes=nodes, inputs=inputs, context=context, environ=environ)
    results = [rank.wait(_TIMEOUT) for rank in ranks]
    return [f"rank {rank}: exit code {one.exit_code}" for rank, one in enumerate(results) if one.exit_code]


_RUNS: Final = {"processes": _in_processes, "containers": _in_containers, "trials": _of_a_sweep}
