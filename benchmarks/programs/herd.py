"""Ranks of a herd: many in one process, each an action of its own, or one in a container; and the trials of a sweep.

In one process each rank is an action in the mode of a container. Which rank it is, a plugin says, as a launcher's
variables do where each has a process. Two writers of one run need two processes: W&B's client refuses them in one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any, Final

import flyte
import wandb
from flyte._context import internal_ctx

from benchmarks._local import local_runner
from flyte_wandb import (
    Topology,
    get_distributed_info,
    get_wandb_run,
    hookimpl,
    run_sweep,
    use_plugin,
    wandb_config,
    wandb_init,
    wandb_sweep_config,
)
from flyte_wandb.testing import world_of
from tests.remote import action_context

env = flyte.TaskEnvironment(name="herd")
AT_A_TIME: Final = 20
"""Trials at a time: as many agents as W&B allows a sweep."""
_RANK: Final[ContextVar[Topology | None]] = ContextVar("rank", default=None)


class _Launcher:
    """Says which rank each action of this process is."""

    @hookimpl
    def detect_topology(self, environ: Mapping[str, str]) -> Topology | None:
        return _RANK.get()


def live(run: Any, rank: int, begins: float, ends: float, every: float) -> None:
    """Log a row now and then until the end, and note when the run was open and how many rows there were.

    Args:
        run: The rank's run, or None.
        rank: Its number.
        begins: When all ranks begin, in seconds since the epoch.
        ends: When they end, likewise.
        every: Seconds between two rows.
    """
    opened, rows = time.time() - begins, 0
    while True:
        if run is not None:
            run.log({"rank": rank, "row": rows})
            rows += 1
        left = ends - time.time()
        if left <= 0:
            break
        time.sleep(min(every, left))
    _write_note(rank, opened=opened, rows=rows, begins=begins, ends=ends)


def _write_note(rank: int, **about: Any) -> None:
    Path(f"rank-{rank}.json").write_text(json.dumps({"rank": rank, **about}))


@wandb_init(project="p")
@env.task
def tracked(begins: float, ends: float, every: float) -> None:
    """Be a rank until the end."""
    info = get_distributed_info()
    assert info is not None
    live(get_wandb_run(), info["rank"], begins, ends, every)


def _by_hand(place: Topology, way: str, **timing: float) -> None:
    """Be a rank that opens its run as W&B's pages say: one of its own, or that which its node shares."""
    shared, first = way == "shared", place.local_rank == 0
    ways: Any = {"mode": "shared", "x_label": f"rank-{place.rank}", "x_primary": first, "x_update_finish_state": first}
    run = wandb.init(
        project="p",
        id=f"r1-a0-worker-{place.worker_index}" if shared else f"r1-a0-rank-{place.rank}",
        group="r1-a0",
        resume="allow" if first or not shared else None,
        reinit="create_new",
        settings=wandb.Settings(**ways) if shared else None,
    )
    live(run, place.rank, **timing)
    run.finish()


def run_ranks(about: str) -> None:
    """Run some ranks of a world in this process, all at the moment that is said at the door; each leaves a note.

    Args:
        about: JSON with the `ranks`, the world's `nodes` and `per_node`, `settings` of `wandb_config`, `by_hand`
            ("", or how `wandb.init` opens the runs), seconds between two rows (`every`), and the port of the `door`.
    """
    said = json.loads(about)
    world = world_of(*[said["per_node"]] * said["nodes"], launcher="herd")
    context = dict(wandb_config(**said["settings"]))
    flyte.init()
    timing = {**_wait_at_door(said["door"]), "every": said["every"]}

    async def be_rank(place: Topology) -> None:
        if said["by_hand"]:
            by_hand = partial(_by_hand, place, said["by_hand"], **timing)
            await asyncio.get_running_loop().run_in_executor(threads, by_hand)
            return
        _RANK.set(place)
        with internal_ctx().replace_task_context(action_context(Path.cwd(), "a0", context)):
            await tracked.execute(**timing)

    with use_plugin(_Launcher()), ThreadPoolExecutor(len(said["ranks"])) as threads:
        asyncio.run(_run_at_once([world[rank] for rank in said["ranks"]], be_rank, timing["begins"]))


def _wait_at_door(port: int) -> dict[str, float]:
    with socket.create_connection(("127.0.0.1", port)) as door, door.makefile() as lines:
        timing: dict[str, float] = json.loads(lines.read())
    return timing


async def _run_at_once(places: list[Topology], be_rank: Callable[[Topology], Any], begins: float) -> None:
    async def run_one(place: Topology) -> None:
        await asyncio.sleep(max(0.0, begins - time.time()))
        try:
            await be_rank(place)
        except Exception as error:
            traceback.print_exc()
            _write_note(place.rank, error=f"{type(error).__name__}: {error}")

    await asyncio.gather(*map(run_one, places))


@wandb_init(project="p")
@env.task
def trial(x: int, begins: float) -> None:
    """Log a row."""
    live(get_wandb_run(), x, begins, 0.0, 0.0)


@env.task
async def search(begins: float) -> None:
    """Run all trials of the context's sweep."""
    await run_sweep(trial, max_parallel=AT_A_TIME, inputs={"begins": begins})


def run_trials(about: str) -> None:
    """Run the trials of a sweep, some at a time; by hand as many runs without a sweep.

    Args:
        about: JSON with their number (`nodes`), and with `by_hand`.
    """
    said = json.loads(about)
    timing = {"begins": time.time(), "ends": 0.0, "every": 0.0}
    if said["by_hand"]:
        places = world_of(*[1] * said["nodes"])
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            list(threads.map(lambda place: _by_hand(place, said["by_hand"], **timing), places))
        return
    grid: Any = {"x": {"values": list(range(said["nodes"]))}}
    context = {**wandb_config(project="p"), **wandb_sweep_config(method="grid", parameters=grid)}
    local_runner(Path.cwd())(search, timing["begins"], context=context)
