"""Runs the trees one after the other, each in its weather, and looks at the process meanwhile."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import wandb

from flyte_wandb import use_plugin, wandb_config
from flyte_wandb.runs._registry import OPEN_RUNS
from tests.services import services

from .._double import start_double
from .._local import local_runner
from .._vitals import memory
from .check import Check, read_offline, read_online
from .ledger import LEDGER, Observer, Tags
from .nodes import Tree
from .tasks import call_node, env

_LOOKS: Final = 40
_TREE_SECONDS: Final = 180
_RETRIES: Final = ("FILE_STREAM", "FILE_TRANSFER", "GRAPHQL")
_QUICK: Final[Mapping[str, str]] = {
    "WANDB_MODE": "online",
    **{f"WANDB__{name}_RETRY_WAIT_MIN_SECONDS": "0.1" for name in _RETRIES},
    **{f"WANDB__{name}_RETRY_WAIT_MAX_SECONDS": "1" for name in _RETRIES},
    "WANDB__DISABLE_META": "true",
    "WANDB__SAVE_REQUIREMENTS": "false",
}
"""W&B's client waits seconds before it asks again, and looks at the machine first."""


def soak(trees: list[Tree], folder: Path, step: Callable[[], None]) -> tuple[Check, list[dict[str, float]], list[str]]:
    """Run the trees, once per process, with W&B's client and Flyte in an empty folder; `step` is called after each.

    Returns:
        What happened against what is kept, the process over time, and in words what it has not given back at its end.
    """
    # Hundreds of failing tasks and plugins are told of; what came of them is in the ledger.
    logging.disable(logging.CRITICAL)
    LEDGER.expect(trees)
    with start_double() as ask:
        os.environ.update(ask("environ") | _QUICK)
        before = dict(os.environ)
        with use_plugin(Observer()):
            looks = _run_trees(trees, folder, ask, step)
        wandb.teardown()
        left = [*_left(before, folder), *(f"the double does not know {name}" for name in ask("unknown_operations"))]
        return Check(LEDGER, read_online(ask("runs")), read_offline(folder), folder), looks, left


def _run_trees(trees: list[Tree], folder: Path, ask: Any, step: Callable[[], None]) -> list[dict[str, float]]:
    looks: list[dict[str, float]] = []
    every = max(1, len(LEDGER.nodes) // _LOOKS)

    # All in one run of Flyte, which keeps a thread and three descriptors for every run that has a sync task.
    @env.task
    async def grow_all() -> int:
        for tree in trees:
            # A task that hangs for ever is a fault, too: the process says where, and ends.
            faulthandler.dump_traceback_later(_TREE_SECONDS, exit=True)
            plugin = use_plugin(Tags(tree)) if tree.weather.plugin else nullcontext()
            with _weather(tree, ask), plugin, wandb_config(**tree.settings):
                await call_node(tree.root)
            if len(LEDGER.calls) >= every * (len(looks) + 1):
                looks.append(_look(folder))
            step()
        return len(trees)

    local_runner(folder)(grow_all)
    faulthandler.cancel_dump_traceback_later()
    return looks


def _look(folder: Path) -> dict[str, float]:
    """Return what this process takes, after its garbage is collected, by the names of the rows; memory in MiB."""
    gc.collect()
    return {
        "memory": memory("VmRSS"),
        "file descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "W&B's service processes": len([*services(folder)]),
    }


@contextmanager
def _weather(tree: Tree, ask: Any) -> Iterator[None]:
    for fault in tree.weather.faults:
        ask("fault", **fault)
    if tree.weather.slow:
        ask("slow", "*", tree.weather.slow)
    if tree.weather.refused:
        ask("refuse", "W&B opens no run today")
    try:
        yield
    finally:
        ask("heal")
        ask("accept")


def _left(before: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Say what the process has not given back."""
    if OPEN_RUNS:
        yield f"{len(OPEN_RUNS)} runs are open"
    if wandb.run is not None:
        yield f"wandb.run is {wandb.run.id}"
    for name in before.keys() | os.environ.keys():
        if before.get(name) != os.environ.get(name):
            yield f"the variable {name} is {os.environ.get(name)!r}, not {before.get(name)!r}"
    for service in services(folder):
        yield f"the service process {service} is left behind"
