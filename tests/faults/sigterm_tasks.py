"""Tasks that SIGTERM ends, whatever they are doing: importable, each under its function's name."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import wandb_init
from tests.current import this_run

env = flyte.TaskEnvironment(name="sigterm")
ranks = ClusteredTaskEnvironment(name="sigterm_ranks", replicas=1, nproc_per_node=2)

READY: Final = "ready"
"""The named pipe to which a task writes when it has logged its rows; whoever reads it waits for that."""
CLEANED_UP: Final = "cleaned-up"
GRACE: Final = 1.0
"""Seconds, in place of the default ten: what does not end by itself costs a test no more."""
_LONG: Final = 60


def tell_test() -> None:
    """Have the test go on, which waits for this."""
    Path(READY).write_bytes(b"")


def python() -> None:
    tell_test()
    _work()


def _work() -> None:
    end = time.monotonic() + _LONG
    while time.monotonic() < end:
        sum(range(1000))


def sleep() -> None:
    tell_test()
    time.sleep(_LONG)


def native() -> None:
    tell_test()
    compute_natively()


def compute_natively() -> None:
    """Be in native code that no signal interrupts, and that runs no handler, as a long operation of torch is."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)


def in_torch() -> None:
    """Be in one operation of torch."""
    import torch

    torch.set_num_threads(1)
    matrix = torch.rand(6000, 6000)
    tell_test()
    torch.linalg.svd(matrix)


def clean_up() -> None:
    """Take a moment for the function's own end, as saving a checkpoint does."""
    try:
        python()
    finally:
        time.sleep(GRACE / 4)
        Path(CLEANED_UP).touch()


def swallow() -> None:
    tell_test()
    while True:
        try:
            _work()
        except BaseException:
            continue


DOINGS: Final[Mapping[str, Callable[[], None]]] = {
    "python": python,
    "sleep": sleep,
    "native": native,
    "torch": in_torch,
    "finally": clean_up,
    "swallow": swallow,
}


def log_rows(rows: int) -> None:
    for row in range(rows):
        this_run().log({"row": row})


@wandb_init(sigterm_grace=GRACE)
@env.task
def sync(rows: int, doing: str) -> int:
    log_rows(rows)
    DOINGS[doing]()
    return rows


@wandb_init(sigterm_grace=GRACE)
@env.task
async def a_sync(rows: int, doing: str) -> int:
    log_rows(rows)
    if doing == "await":
        tell_test()
        await asyncio.Event().wait()
    if doing == "thread":
        tell_test()
        await asyncio.to_thread(_work)
    DOINGS[doing]()
    return rows


@wandb_init(sigterm_grace=GRACE)
@ranks.task
def rank(rows: int, doing: str) -> int | None:
    log_rows(rows)
    DOINGS[doing]()
    return rows


@wandb_init(sigterm_grace=GRACE)
@env.task
def returns(rows: int) -> int:
    """Log rows, wait for the test, log one more, and return."""
    log_rows(rows)
    tell_test()
    Path(READY).read_bytes()
    this_run().log({"row": rows})
    return rows
