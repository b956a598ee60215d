"""The tasks: they look up what they are to do, do it, and tell the ledger."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import flyte

from flyte_wandb import get_wandb_run, wandb_config, wandb_init
from tests.services import kill_services

from .ledger import LEDGER, Call, Visit
from .nodes import RUN_IDS, Node

env = flyte.TaskEnvironment(name="soak")
_TWICE: Final = flyte.RetryStrategy(count=1, backoff=flyte.Backoff(base=timedelta(seconds=0.01), factor=1.0))
_reached: dict[int, asyncio.Event] = {}


async def work(number: int) -> int:
    """Log rows, call children, and end as the node says."""
    visit = LEDGER.visit(number, get_wandb_run())
    node, half = visit.node, visit.node.rows // 2
    await _log_async(visit, range(half))
    _kill(visit)
    await _call_all(node)
    await _log_async(visit, range(half, node.rows))
    if event := _reached.get(number):
        event.set()
        await asyncio.Event().wait()
    return _end(visit)


def work_sync(number: int) -> int:
    """Do the same in a thread, without children."""
    visit = LEDGER.visit(number, get_wandb_run())
    half = visit.node.rows // 2
    _log_sync(visit, range(half))
    _kill(visit)
    _log_sync(visit, range(half, visit.node.rows))
    return _end(visit)


_TASKS: Final[dict[tuple[bool, bool], Any]] = {
    (sync, recovers): wandb_init(env.task(retries=_TWICE if recovers else 0)(work_sync if sync else work))
    for sync in (False, True)
    for recovers in (False, True)
}
_CHOSEN: Final[dict[str, Any]] = {run_id: wandb_init(id=run_id)(env.task(work)) for run_id in RUN_IDS}


def _task(node: Node) -> Any:
    return _CHOSEN[node.run_id] if node.run_id else _TASKS[node.sync, node.fate == "recovers"]


def _log(visit: Visit, rows: range) -> None:
    run = get_wandb_run()
    for row in rows if run else ():
        assert run is not None
        token = f"{visit.node.number}.{visit.attempt}.{row}"
        began = time.monotonic()
        run.log({"row": token})
        # A thread outlives its cancelled task: what it then logs, a finished run refuses.
        visit.rows[token] = began


async def _log_async(visit: Visit, rows: range) -> None:
    if visit.node.threaded:
        await asyncio.to_thread(_log, visit, rows)
    else:
        _log(visit, rows)


def _log_sync(visit: Visit, rows: range) -> None:
    if not visit.node.threaded:
        return _log(visit, rows)
    thread = threading.Thread(target=contextvars.copy_context().run, args=(_log, visit, rows))
    thread.start()
    thread.join()


def _kill(visit: Visit) -> None:
    if visit.node.kills and visit.attempt == 1:
        LEDGER.kills.append(time.monotonic())
        kill_services(Path.cwd())


def _end(visit: Visit) -> int:
    node = visit.node
    if node.fate == "raises" or (node.fate == "recovers" and visit.attempt == 1):
        raise RuntimeError(f"node {node.number}")
    return node.number


async def _call_all(node: Node) -> None:
    bound = asyncio.Semaphore(node.at_once)

    async def call(child: Node) -> None:
        async with bound:
            await call_node(child)

    await asyncio.gather(*map(call, node.children))


async def call_node(node: Node) -> None:
    """Call a task with its settings, and tell how it ended."""
    began = time.monotonic()
    with wandb_config(**node.settings):
        outcome = await _outcome(node)
    LEDGER.calls.append(Call(node=node, began=began, ended=time.monotonic(), outcome=outcome))


async def _outcome(node: Node) -> str:
    """Call a task and say how it ended: as a fate, as "refused", or in other words where that is a fault."""
    try:
        value = await (_call_and_cancel(node) if node.fate.startswith("cancelled") else _task(node).aio(node.number))
    except asyncio.CancelledError:
        return "cancelled"
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if f"node {node.number}" in text:
            return "raises"
        return "refused" if "W&B did not open the run" in text else text
    return "returns" if value == node.number else f"returned {value}"


async def _call_and_cancel(node: Node) -> int:
    """Cancel the call once it has reached its end, or early, or when it has ended by itself."""
    _reached[node.number] = asyncio.Event()
    early = node.fate == "cancelled early"
    sign: Awaitable[Any] = asyncio.sleep(node.patience) if early else _reached[node.number].wait()
    call, waiting = asyncio.ensure_future(_task(node).aio(node.number)), asyncio.ensure_future(sign)
    await asyncio.wait({call, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    call.cancel()
    del _reached[node.number]
    return int(await call)
