"""Tasks whose workers are forked, or started otherwise: what the workers do and how they end is the tasks' result."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

import flyte

from flyte_wandb import get_wandb_run, wandb_init

env = flyte.TaskEnvironment(name="forking")
_FORK: Final = multiprocessing.get_context("fork")
_LONG: Final = 60.0
"""Seconds that a worker would take; the test ends long before."""


def terminated_worker() -> object:
    return _terminate(_FORK)


def terminated_spawned_worker() -> object:
    return _terminate(multiprocessing.get_context("spawn"))


def terminated_forkserver_worker() -> object:
    return _terminate(multiprocessing.get_context("forkserver"))


def _terminate(context: Any) -> object:
    worker = context.Process(target=time.sleep, args=(_LONG,))
    worker.start()
    worker.terminate()
    worker.join()
    return worker.exitcode


def terminated_subprocess() -> object:
    with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({_LONG})"]) as process:
        process.terminate()
        return process.wait()


def pool() -> object:
    with _FORK.Pool(2) as workers:
        return workers.map(abs, [-1, -2])


def executor() -> object:
    with ProcessPoolExecutor(2, mp_context=_FORK) as workers:
        return list(workers.map(abs, [-1, -2]))


def terminated_child() -> object:
    return _outcome_of_fork(lambda: time.sleep(_LONG), signal.SIGTERM)


def child_that_exits() -> object:
    """Have a forked child end as many libraries do, through everything that surrounds the task's function."""
    return _outcome_of_fork(lambda: sys.exit(3))


def child_that_raises() -> object:
    return _outcome_of_fork(lambda: 1 / 0)


def _outcome_of_fork(work: Callable[[], object], number: int = 0) -> object:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        work()
    if number:
        os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


WORKERS: Final[Sequence[Callable[[], object]]] = (
    terminated_worker,
    terminated_spawned_worker,
    terminated_forkserver_worker,
    terminated_subprocess,
    pool,
    executor,
    terminated_child,
    child_that_exits,
    child_that_raises,
)


def outcomes() -> str:
    run: Any = get_wandb_run()
    if run:
        run.log({"row": 0})
    return "; ".join(f"{work.__name__} {work()}" for work in WORKERS)


@wandb_init
@env.task
def tracked() -> str:
    return outcomes()


@wandb_init
@env.task
async def tracked_async() -> str:
    return outcomes()
