"""The table of run modes, rank scopes, sources of settings and worlds: links rendered, and runs really opened.

`render_links` gives the links of every case, `run_alone` runs the cases of one process, and the tasks `on_1` and `on_2`
run those of 1 x 2 and 2 x 2 ranks one after the other, each in a project of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import flyte
from flyteplugins.pytorch import Elastic

from benchmarks._local import local_runner
from tests.links.rendering import filled, log_links
from tests.remote import run_action

from .adapter import get_wandb_run, wandb_config, wandb_init

WORLDS: Final[dict[str, int]] = {"1": 0, "child": 0, "1 x 2": 1, "2 x 2": 2}
"""Worlds by name, with the number of nodes that have two ranks each."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: a world, where the settings stand, and what they say; a user's id where `with_id`."""

    world: str
    source: str
    mode: str = "auto"
    scope: str = "global"
    with_id: bool = False

    @property
    def name(self) -> str:
        """What it is called, and a name of a project."""
        modes = () if self.source == "default" else (self.mode, self.scope)
        return ", ".join([self.world, *modes, self.source, *(["id"] if self.with_id else [])])

    @property
    def project(self) -> str:
        """The project that it has to itself."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """All its settings, wherever they stand."""
        modes = {} if self.source == "default" else {"run_mode": self.mode, "rank_scope": self.scope}
        return {"project": self.project, "entity": "local", **modes, **({"id": "exp"} if self.with_id else {})}

    @property
    def context(self) -> Mapping[str, str]:
        """What the context says."""
        return {} if self.source == "decorator" else dict(wandb_config(**self.settings).items())


def _cases() -> Iterator[Case]:
    for world, nodes in WORLDS.items():
        yield Case(world=world, source="default")
        for mode in ("auto", "new") if world == "1" else ("auto", "shared", "new"):
            for scope in ("global",) if world == "child" else ("global", "worker"):
                for source in ("decorator", "context"):
                    for with_id in (False, True) if nodes else (False,):
                        yield Case(world=world, source=source, mode=mode, scope=scope, with_id=with_id)


CASES: Final = {case.name: case for case in _cases()}
_PROMPT: Final[dict[str, Any]] = {"nproc_per_node": 2, "monitor_interval": 0.1}
ENVIRONMENTS: Final = {
    0: flyte.TaskEnvironment(name="alone"),
    1: flyte.TaskEnvironment(name="one_node", plugin_config=Elastic(nnodes=1, **_PROMPT)),
    2: flyte.TaskEnvironment(name="two_nodes", plugin_config=Elastic(nnodes=2, **_PROMPT)),
}


def _decorate(case: Case) -> Any:
    def task() -> str:
        run = get_wandb_run()
        if run is not None:
            run.log({"rank": int(os.environ.get("RANK", "0"))})
        action = flyte.ctx()
        return str(action.action.name) if action else ""

    task.__name__ = task.__qualname__ = f"{case.project.replace('-', '_')}_task"
    settings = case.settings if case.source == "decorator" else {}
    decorated = wandb_init(**settings)(ENVIRONMENTS[WORLDS[case.world]].task(task))
    globals()[task.__name__] = decorated  # where Flyte looks for it
    return decorated


TASKS: Final = {name: _decorate(case) for name, case in CASES.items()}


@ENVIRONMENTS[1].task
def on_1() -> str | None:
    """Run every case of one node with two ranks."""
    return _run_by_turns("1 x 2")


@ENVIRONMENTS[2].task
def on_2() -> str | None:
    """Run every case of two nodes with two ranks."""
    return _run_by_turns("2 x 2")


def _run_by_turns(world: str) -> str:
    import torch.distributed as dist

    dist.init_process_group("gloo")
    for name, case in CASES.items():
        if case.world == world:
            dist.barrier()
            with flyte.custom_context(**case.context):
                try:
                    TASKS[name].func()
                except Exception as error:
                    _note_failure(case, error)
            _end_as_the_process()
    dist.destroy_process_group()
    return world


def _note_failure(case: Case, error: Exception) -> None:
    Path(f"failed-{case.project}-{os.environ.get('RANK', '0')}").write_text(f"{type(error).__name__}: {error}")


def _end_as_the_process() -> None:
    """Finish a run that the task has left open for the end of its process, which comes after one case elsewhere."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.run.finish()


@wandb_init(run_mode="new")
@ENVIRONMENTS[0].task
async def parent(child: str) -> None:
    """Render the link of a child as its submitter, and call it."""
    case = CASES[child]
    with wandb_config(**case.settings) if case.source == "context" else nullcontext():
        links = _render(child, dict(flyte.get_custom_context()), flyte.ctx().action.run_name)
        action = await TASKS[child].aio()
    Path(f"child-{case.project}").write_text(json.dumps(_fill(links, action_name=action)))


def _render(name: str, context: Mapping[str, str], run_name: str | None = "{{.runName}}") -> list[str]:
    return [link.uri for link in log_links(TASKS[name], context, run_name=run_name)]


def _fill(uris: list[str], **names: str) -> list[str]:
    return [filled({"link": uri}, **names)["link"] for uri in uris]


def render_links() -> dict[str, list[str]]:
    """Return the addresses of the links of every case whose submitter is no task, with their names filled in."""
    links: dict[str, list[str]] = {}
    for name, case in CASES.items():
        if case.world != "child":
            uris = _render(name, case.context)
            if case.world == "1":  # an action in this process is of a run that is called otherwise
                uris = [uri.replace("{{.runName}}", "r1") for uri in uris]
            links[name] = _fill(uris)
    return links


def run_alone() -> None:
    """Run the cases of one process, and those of a child with its parent."""
    run_local = local_runner(Path.cwd())
    for name, case in CASES.items():
        try:
            if case.world == "1":
                folder = Path.cwd() / case.project
                asyncio.run(run_action(TASKS[name], folder=folder, context=case.context))
            elif case.world == "child":
                context = dict(wandb_config(project=case.project, entity="local").items())
                run_local(parent, name, context=context)
        except Exception as error:
            _note_failure(case, error)
