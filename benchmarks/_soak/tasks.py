"""The tasks: they look up what they are to do, do it, and tell the ledger."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import flyte

from flyte_wandb import get_wandb_run, wandb_config, wandb_init

from . import vitals
from .ledger import LEDGER, Call, Visit
from .nodes import RUN_IDS, Node, Tree

env = flyte.TaskEnvironment(name="soak")
_TWICE: Final = flyte.RetryStrategy(count=1, backoff=flyte.Backoff(base=timedelta(seconds=0.01), factor=1.0))
_reached: dict[int, asyncio.Event] = {}


class SoakError(Exception):
    """A task fails as it was drawn."""


@wandb_init
@env.task
async def work(number: int) -> int:
    """Log rows, call children, and end as the node says."""
    return await _worked(number)


async def _worked(number: int) -> int:
    node, visit = _visit(number)
    await _log_async(node, visit, range(node.rows // 2))
    _kill(visit)
    await _call_all(node)
    await _log_async(node, visit, range(node.rows // 2, node.rows))
    if event := _reached.get(number):
        event.set()
        await asyncio.Event().wait()
    return _ended(visit)


@wandb_init
@env.task
def work_sync(number: int) -> int:
    """Do the same in a thread, without children."""
    node, visit = _visit(number)
    _log_sync(node, visit, range(node.rows // 2))
    _kill(visit)
    _log_sync(node, visit, range(node.rows // 2, node.rows))
    return _ended(visit)


@wandb_init
@env.task(retries=_TWICE)
async def flaky(number: int) -> int:
    """Do what `work` does, with a second attempt."""
    node, visit = _visit(number)
    await _log_async(node, visit, range(node.rows // 2))
    _kill(visit)
    await _log_async(node, visit, range(node.rows // 2, node.rows))
    return _ended(visit)


@wandb_init
@env.task(retries=_TWICE)
def flaky_sync(number: int) -> int:
    """Do what `work_sync` does, with a second attempt."""
    node, visit = _visit(number)
    _log_sync(node, visit, range(node.rows // 2))
    _kill(visit)
    _log_sync(node, visit, range(node.rows // 2, node.rows))
    return _ended(visit)


_TASKS: Final[dict[tuple[bool, bool], Any]] = {
    (False, False): work,
    (True, False): work_sync,
    (False, True): flaky,
    (True, True): flaky_sync,
}


async def grow(tree: Tree) -> None:
    """Call the root of a tree, from a task that is not tracked itself."""
    with wandb_config(**tree.settings):
        await _call(tree.root)


def _with_id(run_id: str) -> Any:
    @wandb_init(id=run_id)
    @env.task
    async def chosen(number: int) -> int:
        return await _worked(number)

    return chosen


_CHOSEN: Final = {run_id: _with_id(run_id) for run_id in RUN_IDS}


def _task(node: Node) -> Any:
    return _CHOSEN[node.run_id] if node.run_id else _TASKS[node.sync, node.fate == "recovers"]


def _visit(number: int) -> tuple[Node, Visit]:
    run = get_wandb_run()
    visit = LEDGER.visit(number, run.id if run else None)
    return visit.node, visit


def _log(visit: Visit, rows: range) -> None:
    run = get_wandb_run()
    for row in rows if run else ():
        assert run is not None
        token = f"{visit.node.number}.{visit.attempt}.{row}"
        began = time.monotonic()
        run.log({"row": token})
        # A thread outlives its cancelled task: what it then logs, a finished run refuses.
        visit.rows[token] = began


async def _log_async(node: Node, visit: Visit, rows: range) -> None:
    if node.threaded:
        await asyncio.to_thread(_log, visit, rows)
    else:
        _log(visit, rows)


def _log_sync(node: Node, visit: Visit, rows: range) -> None:
    if not node.threaded:
        return _log(visit, rows)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(_log, visit, rows))
    thread.start()
    thread.join()


def _kill(visit: Visit) -> None:
    if visit.node.kills and visit.attempt == 1:
        LEDGER.kill()
        vitals.kill_services()


def _ended(visit: Visit) -> int:
    node = visit.node
    if node.fate == "raises" or (node.fate == "recovers" and visit.attempt == 1):
        raise SoakError(f"node {node.number}")
    return node.number


async def _call_all(node: Node) -> None:
    bound = asyncio.Semaphore(node.at_once)

    async def bounded(child: Node) -> None:
        async with bound:
            await _call(child)

    await asyncio.gather(*map(bounded, node.children))


async def _call(node: Node) -> None:
    began = time.monotonic()
    with wandb_config(**node.settings):
        outcome = await _outcome(node, _CALLERS.get(node.fate, _plainly)(node))
    LEDGER.calls.append(Call(node=node, began=began, ended=time.monotonic(), outcome=outcome))


async def _outcome(node: Node, result: Awaitable[int]) -> str:
    try:
        value = await result
    except asyncio.CancelledError:
        return "cancelled"
    except Exception as error:
        return _named(node, error)
    return "returns" if value == node.number else f"returned {value}"


def _named(node: Node, error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    if f"node {node.number}" in text:
        return "raises"
    return "refused" if "W&B did not open the run" in text else text


async def _plainly(node: Node) -> int:
    return int(await _task(node).aio(node.number))


async def _cancelled(node: Node) -> int:
    _reached[node.number] = asyncio.Event()
    return await _cancelled_after(node, _reached[node.number].wait)


async def _cancelled_early(node: Node) -> int:
    _reached[node.number] = asyncio.Event()

    async def patience() -> None:
        await asyncio.sleep(node.patience)

    return await _cancelled_after(node, patience)


async def _cancelled_after(node: Node, sign: Callable[[], Awaitable[Any]]) -> int:
    """Cancel the call once there is a sign, or when it has ended by itself."""
    call, waiting = asyncio.ensure_future(_plainly(node)), asyncio.ensure_future(sign())
    await asyncio.wait({call, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    call.cancel()
    del _reached[node.number]
    return await call


_CALLERS: Final[dict[str, Callable[[Node], Awaitable[int]]]] = {
    "cancelled": _cancelled,
    "cancelled early": _cancelled_early,
}
