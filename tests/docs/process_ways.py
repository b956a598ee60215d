"""Where code may run, by the rows of docs/processes-and-threads.md: each says whose run it finds, and logs to it.

Workers import this, so it imports no flyte.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import SimpleQueue
from queue import Queue
from typing import Any, Final

import wandb

from flyte_wandb import get_wandb_run


def look(name: str) -> str:
    """Log a row with this name to the run that is found, and return its id, if all ways of finding it agree."""
    run = get_wandb_run()
    if (wandb.run and wandb.run.id) != (run and run.id):
        return "wandb.run is another"
    if run is None:
        return ""
    run.log({name: 1})
    return run.id


def look_into(answers: Any, name: str) -> None:
    answers.put(look(name))


def in_asyncio(name: str) -> list[str]:
    async def both() -> list[str]:
        async def inside() -> str:
            return look(name)

        return [await asyncio.create_task(inside()), await asyncio.to_thread(look, name)]

    return asyncio.run(both())


def in_threads(name: str) -> list[str]:
    answers: Queue[str] = Queue()
    for thread in (
        threading.Thread(target=look_into, args=(answers, name)),
        threading.Timer(0, look_into, (answers, name)),
    ):
        thread.start()
        thread.join()
    return [answers.get(), answers.get(), *in_executor(ThreadPoolExecutor(1), name)]


def in_executor(executor: Executor, name: str) -> list[str]:
    with executor:
        return list(executor.map(look, [name]))


def in_fork(name: str) -> list[str]:
    answers: SimpleQueue[str] = multiprocessing.get_context("fork").SimpleQueue()
    child = os.fork()
    if not child:
        answers.put(look(name))
        os._exit(0)
    os.waitpid(child, 0)
    return [answers.get(), *in_processes("fork", name)]


def in_processes(method: str, name: str) -> list[str]:
    context: Any = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    process = context.Process(target=look_into, args=(answers, name))
    process.start()
    process.join()
    with context.Pool(1, maxtasksperchild=1) as pool:  # which replaces its worker in a thread of its own
        found = pool.map(look, [name] * (2 if method == "fork" else 1), chunksize=1)
    return [answers.get(), *found, *in_executor(ProcessPoolExecutor(1, mp_context=context), name)]


def in_loader(name: str) -> list[str]:
    from torch.utils.data import DataLoader, Dataset

    class Rows(Dataset[str]):  # type: ignore[misc]
        def __len__(self) -> int:
            return 2

        def __getitem__(self, item: int) -> str:
            return look(name)

    return [one for batch in DataLoader(Rows(), num_workers=1, multiprocessing_context="fork") for one in batch]


def in_subprocess(name: str) -> list[str]:
    code = f"from {__name__} import look; print('found', look({name!r}))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [line.removeprefix("found").strip() for line in result.stdout.splitlines() if line.startswith("found")]


WAYS: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "`asyncio.create_task`, `asyncio.to_thread`": in_asyncio,
    "`threading.Thread`, `threading.Timer`, `ThreadPoolExecutor`": in_threads,
    "`os.fork`; `Process`, `Pool`, `ProcessPoolExecutor` that fork": in_fork,
    "workers of a `DataLoader` that fork": in_loader,
    "`Process`, `Pool`, `ProcessPoolExecutor` with `spawn`": partial(in_processes, "spawn"),
    "`Process`, `Pool`, `ProcessPoolExecutor` with `forkserver`": partial(in_processes, "forkserver"),
    "a subprocess": in_subprocess,
}
"""By the first cell of the row of the page."""
