"""Calls with a run: how long they take, and how much of that is not inside of W&B's own init and finish.

`wandb.init` varies by far more than what is measured, so what decides is the time around the client: that in the
wrapper (by hand: in the function that opens and finishes the run), or of the whole call, less what of it passes inside
of `wandb.init`, `Run.finish` and W&B's handing over of the list of packages, on whatever threads they run. It is an
upper bound: what a decorator loads into the processor's caches first, `wandb.init` finds there.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from statistics import median
from typing import Any, Final

import flyte
import wandb
from wandb.sdk.interface.interface_sock import InterfaceSock

from benchmarks._local import local_runner

from .adapter import wandb_init

env = flyte.TaskEnvironment(name="calls")
_ids = (f"by-hand-{number}" for number in itertools.count())
_PAIRS_PER_RUN: Final = 10
_seconds: dict[str, float] = {}
_running: set[str] = set()


def open_by_hand() -> wandb.Run:
    """Open a run as the decorator does."""
    return wandb.init(id=next(_ids), reinit="create_new", resume="allow")


def by_hand() -> None:
    open_by_hand().finish()


async def by_hand_in_threads() -> None:
    """Open and finish a run, and keep the event loop free."""
    run = await asyncio.to_thread(open_by_hand)
    await asyncio.to_thread(run.finish)


def nothing() -> None:
    """Do nothing: where it is tracked, the decorator opens and finishes a run."""


async def nothing_async() -> None:
    """Do nothing, in an event loop."""


track: Final[Any] = wandb_init(project="p", run_mode="new")
CALLS: Final[dict[str, dict[str, Any]]] = {
    "plain": {"tracked": track(nothing), "by hand": by_hand},
    "sync": {"tracked": track(env.task(nothing)), "by hand": env.task(by_hand), "empty": env.task(nothing)},
    "async": {
        "tracked": track(env.task(nothing_async)),
        "by hand": env.task(by_hand_in_threads),
        "empty": env.task(nothing_async),
    },
}
"""Functions outside of Flyte, and its tasks: with a run by the decorator, with one by hand, without any."""


def measure(kind: str, baseline: str, pairs: str) -> list[dict[str, float]]:
    """Make a tracked call and one of the baseline by turns: the seconds of each.

    They are `whole`, those `beyond` the client, and those `around` it in the wrapper; so are those of the baseline,
    with its name before them.

    Args:
        kind: "plain", "sync" or "async".
        baseline: "by hand" or "empty".
        pairs: How often.
    """
    wandb.init = wandb.sdk.init = _time("client", wandb.init)  # both, else it counts as a stand-in of a user's test
    wandb.Run.finish = _time("client", wandb.Run.finish)  # type: ignore[method-assign]
    # W&B does so inside of `wandb.init`; the decorator has it done behind that, with a list that it keeps.
    send_packages = InterfaceSock._publish_python_packages
    InterfaceSock._publish_python_packages = _time("client", send_packages)  # type: ignore[method-assign]
    count, calls = int(pairs), CALLS[kind]
    if kind == "plain":
        calls |= {name: _time("wrapper", calls[name]) for name in ("tracked", baseline)}
        return take_plain_pairs(baseline, 2 + count)[2:]
    for task in (calls["tracked"], calls[baseline]):
        task.func = _time("wrapper", task.func)  # where the decorator has put its own
    run = local_runner(Path.cwd())
    run(take_pairs, kind, baseline, 3)
    return [pair for _ in range(0, count, _PAIRS_PER_RUN) for pair in run(take_pairs, kind, baseline, _PAIRS_PER_RUN)]


def measure_medians(kind: str, baseline: str, pairs: str) -> dict[str, float]:
    """Return the medians of whole calls, and of what a tracked one takes beyond the client and one of the baseline."""
    found = measure(kind, baseline, pairs)
    return {
        "tracked": median(one["whole"] for one in found),
        "baseline": median(one[f"{baseline} whole"] for one in found),
        "more": median(one["beyond"] - one[f"{baseline} whole"] for one in found),
    }


def take_plain_pairs(baseline: str, count: int) -> list[dict[str, float]]:
    """Make the calls outside of Flyte."""
    found: list[dict[str, float]] = [{} for _ in range(count)]
    for pair, prefix, call in _turns("plain", baseline, found):
        with _reading(pair, prefix):
            call()
    return found


@env.task
async def take_pairs(kind: str, baseline: str, count: int) -> list[dict[str, float]]:
    """Make the calls in a task, as tasks of users call each other."""
    found: list[dict[str, float]] = [{} for _ in range(count)]
    for pair, prefix, task in _turns(kind, baseline, found):
        with _reading(pair, prefix):
            await task.aio()
    return found


def _turns(kind: str, baseline: str, found: list[dict[str, float]]) -> Iterator[tuple[dict[str, float], str, Any]]:
    """Give both calls of every pair, the baseline's first in every second one, with the prefix of its readings."""
    arms = [("", CALLS[kind]["tracked"]), (f"{baseline} ", CALLS[kind][baseline])]
    for turn, pair in enumerate(found):
        yield from ((pair, *arm) for arm in (arms if turn % 2 else reversed(arms)))


@contextmanager
def _reading(pair: dict[str, float], prefix: str) -> Iterator[None]:
    """Note what a call takes."""
    _seconds.update(client=0.0, wrapper=0.0, whole=0.0)
    with _timing("whole"):
        yield
    whole, client, wrapper = (_seconds[part] for part in ("whole", "client", "wrapper"))
    pair |= {f"{prefix}whole": whole, f"{prefix}beyond": whole - client, f"{prefix}around": wrapper - client}


def _time(part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function add its seconds to those of a part; calls follow each other, so one sum is enough."""

    def timed(*arguments: Any, **named: Any) -> Any:
        with _timing(part):
            return call(*arguments, **named)

    async def timed_async(*arguments: Any, **named: Any) -> Any:
        with _timing(part):
            return await call(*arguments, **named)

    return timed_async if iscoroutinefunction(call) else timed


@contextmanager
def _timing(part: str) -> Iterator[None]:
    if part in _running:  # what one function of the client spends in another counts once
        yield
        return
    _running.add(part)
    started = time.perf_counter()
    try:
        yield
    finally:
        _running.discard(part)
        _seconds[part] = _seconds.get(part, 0.0) + time.perf_counter() - started
