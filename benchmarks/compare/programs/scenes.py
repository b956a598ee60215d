"""Scenes in one process, each by its name: ``python -m ... NAME``; the last line says as JSON what happened."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import flyte

from benchmarks._local import local_runner
from tests.links.rendering import log_links
from tests.remote import run_action

from .adapter import wandb_config, wandb_init
from .tasks import log
from .values import VALUES

env = flyte.TaskEnvironment(name="scenes")
_attempts: list[int] = []


class _Meeting:
    """Lets several tasks wait for each other, so that all their runs are open at once."""

    def __init__(self) -> None:
        self.missing, self.all_here = 1, asyncio.Event()

    async def join(self) -> None:
        """Wait for the others."""
        self.missing -= 1
        if self.missing <= 0:
            self.all_here.set()
        await asyncio.wait_for(self.all_here.wait(), 30)


_meeting = _Meeting()


@wandb_init(project="p")
@env.task
async def leaf(who: str) -> None:
    """Log, meet the others, and log again."""
    log(who=who)
    await _meeting.join()
    log(who=who)


@wandb_init(project="p", run_mode="new")
@env.task
async def new(who: str) -> None:
    """Do the same with a run of its own in any case."""
    log(who=who)
    await _meeting.join()
    log(who=who)


@wandb_init(project="p", run_mode="shared")
@env.task
async def shared(who: str) -> None:
    """Do the same in the parent's run."""
    log(who=who)
    await _meeting.join()
    log(who=who)


@wandb_init(project="p")
@env.task
async def middle(who: str) -> None:
    """Log, call a child, and log again."""
    log(who=who)
    await leaf(f"{who}1")
    log(who=who)


KINDS: Final[dict[str, Any]] = {"leaf": leaf, "new": new, "shared": shared, "middle": middle}


@wandb_init(project="p", run_mode="new")
@env.task
async def parent(who: str, kinds: list[str]) -> None:
    """Log, call the children at once, and log again."""
    log(who=who)
    await asyncio.gather(*(KINDS[kind](f"{who}{number}") for number, kind in enumerate(kinds, start=1)))
    log(who=who)


@env.task
async def one_after_the_other() -> None:
    """Call two tasks in turns."""
    await leaf("a")
    await leaf("b")


@env.task
async def leaves_at_once() -> None:
    """Call two tasks at once."""
    _meeting.missing = 2
    await asyncio.gather(leaf("a"), leaf("b"))


@env.task
async def parents_at_once(kind: str) -> None:
    """Call two parents with a child each at once."""
    _meeting.missing = 2
    await asyncio.gather(parent("a", [kind]), parent("b", [kind]))


def in_container(at_once: bool) -> None:
    """Run two actions in this process, as a reusable container does."""

    async def run() -> None:
        first, second = (_action(name, who) for name, who in (("a0", "a"), ("a1", "b")))
        if at_once:
            _meeting.missing = 2
            await asyncio.gather(first, second)
        else:
            await first
            await second

    async def _action(name: str, who: str) -> None:
        await run_action(leaf, folder=Path.cwd(), name=name, who=who)

    asyncio.run(run())


@wandb_init(project="p")
@env.task
async def raises() -> None:
    """Log, and raise."""
    log(who="a")
    raise ValueError("the loss is not a number")


@env.task
async def cancels() -> None:
    """Cancel a child that has logged and waits."""
    _meeting.missing = 2
    child = asyncio.ensure_future(leaf("a"))
    while _meeting.missing == 2:
        await asyncio.sleep(0.01)
    child.cancel()
    with suppress(asyncio.CancelledError):
        await child


@wandb_init(project="p")
@env.task(retries=1)
async def retried() -> None:
    """Log rows and fail in the first attempt, log others in the second."""
    _attempts.append(1)
    for row in (0, 1, 2) if len(_attempts) == 1 else (10, 11):
        log(row=row)
    if len(_attempts) == 1:
        raise ConnectionError("the node went away")


@wandb_init(project="p")
@env.task
def blocking(who: str) -> None:
    """Log from a sync task."""
    log(who=who)


@env.task
async def overridden(kind: str) -> None:
    """Call a task with other resources."""
    task: Any = {"async": leaf, "sync": blocking}[kind]
    changed = task.override(short_name="changed")
    await (changed("a") if kind == "async" else changed.aio("a"))


@wandb_init
@env.task
async def configured() -> None:
    """Log with the settings of the context."""
    log(who="a")


@env.task
async def nested() -> None:
    """Call a child whose config names a project only, below one that asks for runs of their own."""
    with wandb_config(run_mode="new"), wandb_config(project="q"):
        await below()


@wandb_init(project="p", run_mode="new")
@env.task
async def below() -> None:
    """Call a child with what the context says."""
    log(who="a")
    await configured_child()


@wandb_init
@env.task
async def configured_child() -> None:
    """Log with the settings of the context."""
    log(who="b")


@env.task
async def twice() -> None:
    """Use one config twice, and none in the end."""
    config = wandb_config(project="q")
    for _ in range(2):
        with config:
            await configured()
    left = [name for name in flyte.get_custom_context() if name.startswith("wandb_")]
    assert left == [], f"left in the context: {left}"


def link_names(which: str) -> list[str]:
    """Return the links of a task that was changed, or of the one that its environment registers."""
    changed: Any = leaf
    task = changed.override(short_name="changed") if which == "overridden" else env.tasks["scenes.leaf"]
    return [link.uri for link in log_links(task, {"wandb_project": "p", "wandb_entity": "local"})]


def link_of(**settings: str) -> list[str]:
    """Return the links of a task in a context."""
    return [link.uri for link in log_links(configured, dict(wandb_config(**settings).items()))]  # type: ignore[arg-type]


def bad(**settings: Any) -> str:
    """Return the error of a task with settings that do not exist; the body says that it was reached."""
    reached: list[bool] = []

    async def body() -> None:
        reached.append(True)

    try:
        run(wandb_init(project="p", **settings)(env.task(body)))
    except Exception as error:
        return "the body was reached" if reached else str(error)
    return "the body was reached" if reached else "no error"


def run(task: Any, *arguments: Any, **context: str) -> Any:
    """Run a task in Flyte's local mode."""
    return local_runner(Path.cwd())(task, *arguments, context=context)


def value(case: str) -> Any:
    """Run a task with settings in the context."""
    return run(configured, **dict(wandb_config(**{"project": "p", **VALUES[case]}).items()))


def foreign() -> None:
    """Run a task in a context that has a key of somebody else."""
    run(configured, **dict(wandb_config(project="p").items()), wandb_foreign="3")


SCENES: Final[dict[str, Callable[[], Any]]] = {
    "one after the other": lambda: run(one_after_the_other),
    "at once": lambda: run(leaves_at_once),
    "an auto child": lambda: run(parent, "a", ["leaf"]),
    "a shared child": lambda: run(parent, "a", ["shared"]),
    "a new child": lambda: run(parent, "a", ["new"]),
    "a child and its child": lambda: run(parent, "a", ["middle"]),
    "auto children of two parents at once": lambda: run(parents_at_once, "leaf"),
    "shared children of two parents at once": lambda: run(parents_at_once, "shared"),
    "new children of two parents at once": lambda: run(parents_at_once, "new"),
    "two actions of one container": lambda: in_container(False),
    "two actions of one container at once": lambda: in_container(True),
    "raises": lambda: run(raises),
    "cancels": lambda: run(cancels),
    "retried": lambda: run(retried),
    "override async": lambda: run(overridden, "async"),
    "override sync": lambda: run(overridden, "sync"),
    "links overridden": lambda: link_names("overridden"),
    "links registered": lambda: link_names("registered"),
    "host": lambda: run(configured, **dict(wandb_config(project="p", host=os.environ["COMPARED_HOST"]).items())),
    "link host": lambda: link_of(project="p", entity="local"),
    "link quoted": lambda: link_of(project="the vision", entity="local"),
    "bad run_mode": lambda: bad(run_mode="sahred"),
    "bad rank_scope": lambda: bad(rank_scope="wroker"),
    "nested": lambda: run(nested),
    "twice": lambda: run(twice),
    "foreign": foreign,
}


def main(name: str) -> Any:
    """Return what the scene says, or end with its error in one line: Flyte's tracebacks put it first."""
    try:
        return value(name) if name in VALUES else SCENES[name]()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    said = main(sys.argv[1])
    print()
    print(json.dumps(said))
