"""Blocking calls to W&B in threads, awaited to their end whatever happens to the one who waits."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any, Final, NoReturn, TypeVar

from ..runs._termination import exit_code
from ..wandb_client._watchdog import WATCHDOG

T = TypeVar("T")

MOST_BOUND: Final = 2
"""Calls at the same time that are bound to the processor, as those of offline runs. More are not faster, and keep the
event loop waiting: 50 runs took 1.1, 1.2 and 1.1 s in pools of 2, 3 and 4 threads, and blocked it for 32, 37 and 42 ms
(2 slow cores, wandb 0.31)."""
MOST_WAITING: Final = min(32, (os.cpu_count() or 1) + 4)
"""Calls at the same time that may wait for a server, as those of online runs, which must not wait for each other."""


CANCELLED_SECONDS: Final = 5.0
"""How long opening a run may take after its task was cancelled: enough for a server that answers. The run then ends as
that of a cancelled task."""


async def run_uninterrupted(
    call: Callable[..., T],
    *arguments: object,
    waits: bool = True,
    give_up: Callable[[], None] | None = None,
) -> tuple[T, asyncio.CancelledError | None]:
    """Run `call` in a thread and wait for its end, also when this coroutine is cancelled meanwhile.

    Args:
        call: What blocks.
        arguments: Its arguments.
        waits: Whether it may wait for a server, so that others need not wait for it.
        give_up: Ends the call, if it is still running `CANCELLED_SECONDS` after a cancellation.

    Returns:
        What the call returned, and the cancellation that arrived while it ran, for the caller to raise when it has
        put things in order.

    Raises:
        Exception: What the call raised; the cancellation instead, where there was one too.
    """
    # Not `asyncio.shield`: cancelled, it would leave the call running with nobody to wait for its run.
    future = _thread_pool(MOST_WAITING if waits else MOST_BOUND).submit(
        contextvars.copy_context().run, call, *arguments
    )
    cancelled: asyncio.CancelledError | None = None
    with ExitStack() as limits:
        while not future.done():
            try:
                await _mirror_future(future)
            except asyncio.CancelledError as cancellation:
                if give_up and not cancelled:
                    limits.enter_context(WATCHDOG.within(CANCELLED_SECONDS, give_up))
                cancelled = cancellation
    if cancelled and future.exception():
        raise cancelled from future.exception()
    return future.result(), cancelled


def _mirror_future(future: Future[Any]) -> asyncio.Future[None]:
    """Return a future of the running loop that ends with `future`. Cancelling it does nothing to `future`."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(_wake_waiter, waiter))
    return waiter


def _wake_waiter(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def end_fork(error: BaseException | None) -> NoReturn:
    """End a forked child that leaves its parent's coroutine, as `multiprocessing` ends its own.

    It shares the descriptors of its parent's event loop. If it kept running, it would deafen the parent (bpo-21998).
    """
    if error and not (isinstance(error, SystemExit) and isinstance(error.code, int | None)):
        traceback.print_exception(error)
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    # Past `atexit`, where W&B's hooks of the parent wait.
    os._exit(exit_code(error))


@functools.cache
def _thread_pool(most: int) -> ThreadPoolExecutor:
    """Our own threads: in the loop's default executor a task's blocking calls could keep its children waiting."""
    return ThreadPoolExecutor(most, thread_name_prefix="flyte-wandb")


os.register_at_fork(after_in_child=_thread_pool.cache_clear)  # a forked child has none of its parent's threads
