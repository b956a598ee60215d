"""What users' code does in a task, in Flyte's local mode or in a container: a function of `DOINGS` by its name."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import flyte
import wandb

from benchmarks._local import local_runner
from tests.services import kill_services

from .adapter import get_wandb_run, wandb_init
from .tasks import log, log_rows, tell_program

env = flyte.TaskEnvironment(name="bodies")
_LONG: Final = 60.0
_FORK: Final = multiprocessing.get_context("fork")


def sleep() -> None:
    log_rows()
    tell_program()
    time.sleep(_LONG)


def compute_natively() -> None:
    """Be in native code, which no signal interrupts, as a long operation of torch is."""
    log_rows()
    tell_program()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)


def kill_service() -> None:
    """Have W&B's service killed, as the kernel does where memory is short."""
    log_rows()
    kill_services(Path.cwd())


def log_globally() -> None:
    """Log as code that was written before: it knows W&B's module only."""
    wandb.log({"row": 0})
    wandb.log({"row": 1})


def log_from_library() -> None:
    """Log as a library that opens a run where it finds none."""
    run = wandb.run or wandb.init(project="of-the-library")
    run.log({"row": 0})


def log_in_thread() -> None:
    """Log in a thread, which has no context of Flyte."""
    thread = threading.Thread(target=log_rows)
    thread.start()
    thread.join()


def log_in_pool() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(log_rows).result()


def finish_and_log() -> None:
    """Finish the run, as Accelerate does at the end of a training, and log the result."""
    log(row=0)
    wandb.finish()
    log(row=1)


def finish_and_fail() -> None:
    log(row=0)
    run = get_wandb_run()
    assert run is not None
    run.finish()
    raise ValueError("the loss is not a number")


def fork_pool() -> None:
    """Have forked workers work, which their pool ends by SIGTERM."""
    log(row=0)
    with _FORK.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]


DOINGS: Final[dict[str, Callable[[], Any]]] = {
    doing.__name__: doing
    for doing in (
        sleep,
        compute_natively,
        kill_service,
        log_rows,
        log_globally,
        log_from_library,
        log_in_thread,
        log_in_pool,
        finish_and_log,
        finish_and_fail,
        fork_pool,
    )
}


@wandb_init(project="p")
@env.task
def sync(doing: str) -> str:
    DOINGS[doing]()
    return "done"


@wandb_init(project="p")
@env.task
async def a_sync(doing: str) -> str:
    if doing == "wait":
        log_rows()
        tell_program()
        await asyncio.Event().wait()
    DOINGS[doing]()
    return "done"


def run(task: str, doing: str) -> dict[str, Any]:
    """Run one of the tasks in local mode, and return its result."""
    return {"result": local_runner(Path.cwd())(globals()[task], doing)}
