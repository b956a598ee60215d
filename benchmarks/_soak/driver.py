"""Runs the trees one after the other, each in its weather, and looks at the process meanwhile."""

from __future__ import annotations

import faulthandler
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wandb

from flyte_wandb import use_plugin
from flyte_wandb.runs._registry import OPEN_RUNS
from flyte_wandb.wandb_client._configuration import end_client

from .._local import local_runner
from . import kept, vitals
from .check import Check
from .double import double
from .ledger import LEDGER, Ledger, Observer, Tags
from .nodes import Tree
from .tasks import env, grow

_LOOKS: Final = 40
_TREE_SECONDS: Final = 180
_QUICK: Final[Mapping[str, str]] = {
    "WANDB_MODE": "online",
    "WANDB__FILE_STREAM_RETRY_WAIT_MIN_SECONDS": "0.1",
    "WANDB__FILE_STREAM_RETRY_WAIT_MAX_SECONDS": "1",
    "WANDB__FILE_TRANSFER_RETRY_WAIT_MIN_SECONDS": "0.1",
    "WANDB__FILE_TRANSFER_RETRY_WAIT_MAX_SECONDS": "1",
    "WANDB__GRAPHQL_RETRY_WAIT_MIN_SECONDS": "0.1",
    "WANDB__GRAPHQL_RETRY_WAIT_MAX_SECONDS": "1",
    "WANDB__DISABLE_META": "true",
    "WANDB__SAVE_REQUIREMENTS": "false",
}
"""W&B's client waits seconds before it asks again, and looks at the machine first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one soak leaves.

    Attributes:
        ledger: What happened.
        check: The same, against what is kept.
        looks: The process over time.
        left: What the process has not given back at its end, in words.
    """

    ledger: Ledger
    check: Check
    looks: list[vitals.Vitals]
    left: list[str]


def soaked(trees: list[Tree], folder: Path, tick: Callable[[], None]) -> Result:
    """Run the trees. Once per process, with W&B's client and Flyte in `folder`.

    Args:
        trees: What to run.
        folder: An empty folder.
        tick: Called after each tree.
    """
    # Hundreds of failing tasks and plugins are told of; what came of them is in the ledger.
    logging.disable(logging.CRITICAL)
    LEDGER.expect(trees)
    with double() as server:
        os.environ.update(server.get_environ() | _QUICK)
        before = dict(os.environ)
        with use_plugin(Observer()):
            looks = _run_all(trees, folder, server, tick)
        end_client()
        left = [*_left(before), *(f"the double does not know {name}" for name in server.get_unknown_operations())]
        check = Check(LEDGER, kept.online(server.get_runs()), kept.offline(folder), folder)
    return Result(ledger=LEDGER, check=check, looks=looks, left=left)


def _run_all(trees: list[Tree], folder: Path, server: Any, tick: Callable[[], None]) -> list[vitals.Vitals]:
    looks: list[vitals.Vitals] = []
    every = max(1, len(LEDGER.nodes) // _LOOKS)

    # All in one run of Flyte, which keeps a thread and three descriptors for every run that has a sync task.
    @env.task
    async def grow_all() -> int:
        for tree in trees:
            # A task that hangs for ever is a fault, too: the process says where, and ends.
            faulthandler.dump_traceback_later(_TREE_SECONDS, exit=True)
            with _weather(tree, server), _plugin(tree):
                await grow(tree)
            if len(LEDGER.calls) >= every * (len(looks) + 1):
                looks.append(vitals.look())
            tick()
        return len(trees)

    local_runner(folder)(grow_all)
    faulthandler.cancel_dump_traceback_later()
    return looks


@contextmanager
def _weather(tree: Tree, server: Any) -> Iterator[None]:
    for fault in tree.weather.faults:
        server.fault(**fault)
    if tree.weather.slow:
        server.slow("*", tree.weather.slow)
    if tree.weather.refused:
        server.refuse("W&B opens no run today")
    try:
        yield
    finally:
        server.heal()
        server.accept()


def _plugin(tree: Tree) -> Any:
    return use_plugin(Tags(tree)) if tree.weather.plugin else nullcontext()


def _left(before: Mapping[str, str]) -> Iterator[str]:
    """Say what the process has not given back."""
    if OPEN_RUNS:
        yield f"{len(OPEN_RUNS)} runs are open"
    if wandb.run is not None:
        yield f"wandb.run is {wandb.run.id}"
    for name in before.keys() | os.environ.keys():
        if before.get(name) != os.environ.get(name):
            yield f"the variable {name} is {os.environ.get(name)!r}, not {before.get(name)!r}"
    for service in vitals.services():
        yield f"the service process {service} is left behind"
