"""Tasks for every pair of run mode and rank scope, decorated with it or not: importable, each under its own name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flyte
from flyte.clustered import ClusteredTaskEnvironment

from flyte_wandb import wandb_config, wandb_init
from tests.current import this_run
from tests.ranks.tasks import work

PLACE: Any = {"project": "the vision", "entity": "team"}
MODES, SCOPES, NODES = ("auto", "shared", "new"), ("global", "worker"), (1, 2)


def place_of(row: str) -> Any:
    """Return the place of a row's own: the ranks of one launch take one row after the other."""
    return {**PLACE, "project": f"{PLACE['project']} {row}"}


def _ranked(environment: Any, name: str, settings: Mapping[str, Any]) -> Any:
    """Put a task of many ranks into this module, as if it were written here."""

    def task(steps: int) -> str | None:
        return work(steps)

    task.__name__ = task.__qualname__ = name
    globals()[name] = wandb_init(**settings)(environment.task(task))
    return globals()[name]


RANKED: dict[tuple[int, str | None, str | None], Any] = {}
"""Tasks by the number of nodes with two ranks each, and by the run mode and rank scope of the decorator."""

CLUSTERS = {nodes: ClusteredTaskEnvironment(name=f"links_{nodes}", replicas=nodes, nproc_per_node=2) for nodes in NODES}
for nodes, cluster in CLUSTERS.items():
    RANKED[nodes, None, None] = _ranked(cluster, f"bare_{nodes}", {})
    for mode in MODES:
        for scope in SCOPES:
            settings = {"run_mode": mode, "rank_scope": scope, **place_of(f"{mode} {scope} {nodes}")}
            RANKED[nodes, mode, scope] = _ranked(cluster, f"{mode}_{scope}_{nodes}", settings)


@CLUSTERS[1].task
def on_one_node(steps: int, names: list[str], contexts: list[dict[str, str]]) -> None:
    _by_turns(steps, names, contexts)


@CLUSTERS[2].task
def on_two_nodes(steps: int, names: list[str], contexts: list[dict[str, str]]) -> None:
    _by_turns(steps, names, contexts)


def _by_turns(steps: int, names: list[str], contexts: list[dict[str, str]]) -> None:
    """Run one task after the other, each in its context, and note which have failed."""
    failed: dict[int, str] = {}
    for turn, (name, context) in enumerate(zip(names, contexts, strict=True)):
        try:
            with flyte.custom_context(**context):
                globals()[name].func(steps)
        except Exception as error:
            failed[turn] = f"{type(error).__name__}: {error}"
    Path(f"failed-{os.environ['RANK']}.json").write_text(json.dumps(failed))


env = flyte.TaskEnvironment(name="links")


def _log() -> str:
    run = this_run()
    run.log({"x": 1})
    return run.id


@wandb_init
@env.task
def bare() -> str:
    return _log()


@wandb_init(run_mode="auto", **PLACE)
@env.task
def auto() -> str:
    return _log()


@wandb_init(run_mode="new", **PLACE)
@env.task
def new() -> str:
    return _log()


@wandb_init(run_mode="shared", **PLACE)
@env.task
def shared() -> str:
    return _log()


@wandb_init
@env.task
def parent(child: str, run_mode: str) -> str:
    """Submit a child as the control plane would: with the links that are rendered here, in another process."""
    from flyte_wandb.testing import run_container
    from tests.links.rendering import wire_links

    names = ("WANDB_BASE_URL", "WANDB_API_KEY")
    environ = {name: os.environ[name] for name in names}
    task = globals()[child]
    with wandb_config(run_mode=run_mode or None):
        context = dict(flyte.get_custom_context())
        Path("links.json").write_text(json.dumps(wire_links(task, context, run_name=flyte.ctx().action.run_name)))
        result = run_container(task, folder=Path.cwd(), context=context, environ=environ, action_name="a1")
    if result.error:
        raise RuntimeError(result.error)
    return str(result.value)
