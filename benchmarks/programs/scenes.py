"""Scenes of tasks in one process, in Flyte's local mode or as actions of one container.

Settings are written as in Python. A family is a task of `TASKS` with its children behind it: ``new>auto``.
"""

from __future__ import annotations

import ast
import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import flyte

from benchmarks._local import local_runner
from tests.links.rendering import log_links
from tests.remote import run_action

from .adapter import wandb_config, wandb_init
from .tasks import log, log_attempt

env = flyte.TaskEnvironment(name="scenes")
_attempts = itertools.count()


class _Meeting:
    """Lets several tasks wait for each other, so that all their runs are open at once."""

    def __init__(self) -> None:
        self.missing, self.all_here = 1, asyncio.Event()

    async def join(self) -> None:
        self.missing -= 1
        if self.missing <= 0:
            self.all_here.set()
        await asyncio.wait_for(self.all_here.wait(), 30)


_meeting = _Meeting()


async def _act(who: str, child: str) -> None:
    """Log, call the child or else meet the others, and log again; with ! in the place of a child, raise."""
    log(who=who)
    if child == "!":
        raise ValueError("the loss is not a number")
    await (_call(child, f"{who}1") if child else _meeting.join())
    log(who=who)


@wandb_init(project="p")
@env.task
async def auto(who: str, child: str) -> None:
    await _act(who, child)


@wandb_init(project="p", run_mode="new")
@env.task
async def new(who: str, child: str) -> None:
    await _act(who, child)


@wandb_init(project="p", run_mode="shared")
@env.task
async def shared(who: str, child: str) -> None:
    await _act(who, child)


@wandb_init(project="p")
@env.task
def blocking(who: str) -> None:
    log(who=who)


@wandb_init(project="p")
@env.task(retries=1)
async def retried() -> None:
    log_attempt(str(next(_attempts)))


@wandb_init
@env.task
async def configured(who: str, child: str) -> None:
    """Have all settings from the context."""
    await _act(who, child)


TASKS: Final[dict[str, Any]] = {"auto": auto, "new": new, "shared": shared, "configured": configured}


def _call(family: str, who: str) -> Any:
    name, _, child = family.partition(">")
    return TASKS[name](who, child)


async def _call_all(calls: Sequence[Any], when: str) -> None:
    if when == "at once":
        _meeting.missing = len(calls)
        await asyncio.gather(*calls)
    else:
        for call in calls:
            await call


@env.task
async def call_families(families: list[str], when: str) -> None:
    """Call one or two families."""
    await _call_all([_call(family, who) for family, who in zip(families, "ab", strict=False)], when)


@env.task
async def cancels() -> None:
    """Cancel a child that has logged and waits."""
    _meeting.missing = 2
    child = asyncio.ensure_future(auto("a", ""))
    while _meeting.missing == 2:
        await asyncio.sleep(0.01)
    child.cancel()
    with suppress(asyncio.CancelledError):
        await child


@env.task
async def overrides(kind: str) -> None:
    """Call an async or a sync task with other resources."""
    if kind == "async":
        await auto.override(short_name="changed")("a", "")
    else:
        await blocking.override(short_name="changed").aio("a")


@env.task
async def nested() -> None:
    """Call a child whose config names a project only, below one that asks for runs of their own."""
    with wandb_config(run_mode="new"), wandb_config(project="q"):
        await _call("new>configured", "a")


@env.task
async def twice() -> None:
    """Use one config twice, and none in the end."""
    config = wandb_config(project="q")
    for _ in range(2):
        with config:
            await configured("a", "")
    left = [name for name in flyte.get_custom_context() if name.startswith("wandb_")]
    assert left == [], f"left in the context: {left}"


def run_task(name: str, *arguments: str) -> None:
    """Run one of the tasks here by its name."""
    _run(globals()[name], *arguments)


def run_families(families: str, when: str) -> None:
    """Run families with spaces between them, "in turns" or "at once"."""
    _run(call_families, families.split(), when)


def run_actions(when: str) -> None:
    """Run two actions in this process, as a reusable container does, "in turns" or "at once"."""

    actions = zip(("a0", "a1"), "ab", strict=True)
    calls = [run_action(auto, folder=Path.cwd(), name=name, who=who, child="") for name, who in actions]
    asyncio.run(_call_all(calls, when))


def configure(settings: str, foreign: str = "{}") -> None:
    """Run a task in a context with settings of `wandb_config`, and keys of somebody else."""
    _run(configured, "a", "", **_context(settings), **ast.literal_eval(foreign))


def render_links(which: str, settings: str) -> list[str]:
    """Return the links in a context, of `auto` "overridden" or as its environment has it "registered", or of a task."""
    changed: Any = {"overridden": auto.override(short_name="changed"), "registered": env.tasks["scenes.auto"]}
    task = changed.get(which, globals().get(which))
    return [link.uri for link in log_links(task, _context(settings))]


def refuse(settings: str) -> str:
    """Return the error of a task with settings that do not exist; or say that its body was reached."""
    reached: list[bool] = []

    async def body() -> None:
        reached.append(True)

    error = "no error"
    try:
        _run(wandb_init(project="p", **ast.literal_eval(settings))(env.task(body)))
    except Exception as raised:
        error = str(raised)
    return "the body was reached" if reached else error


def _context(settings: str) -> dict[str, str]:
    return dict(wandb_config(**ast.literal_eval(settings)).items())


def _run(task: Any, *arguments: Any, **context: str) -> Any:
    return local_runner(Path.cwd())(task, *arguments, context=context)
