"""One case of the table of run modes, rank scopes, sources of settings and worlds: links rendered, runs really opened.

The variable CASE says it as JSON: the number of `nodes` with two ranks each or 0 for one process, the `settings`, and
whether their `source` is the decorator or the context.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import flyte
from flyteplugins.pytorch import Elastic

from benchmarks._local import local_runner
from tests.links.rendering import filled, log_links

from .adapter import get_wandb_run, wandb_config, wandb_init

_CASE: Final[dict[str, Any]] = json.loads(os.environ.get("CASE", '{"nodes": 0, "settings": {}, "source": ""}'))
_SETTINGS: Final[dict[str, Any]] = _CASE["settings"]
_ELASTIC: Final[dict[str, Any]] = {"nproc_per_node": 2, "max_restarts": 0, "monitor_interval": 0.1}
alone = flyte.TaskEnvironment(name="alone")
ranks = flyte.TaskEnvironment(name="ranks", plugin_config=Elastic(nnodes=max(_CASE["nodes"], 1), **_ELASTIC))


@wandb_init(**(_SETTINGS if _CASE["source"] == "decorator" else {}))
@(ranks if _CASE["nodes"] else alone).task
def task() -> str | None:
    """Log the rank to the run where there is one, and return the action; a node without rank 0 has no result."""
    run = get_wandb_run()
    if run is not None:
        run.log({"rank": int(os.environ.get("RANK", "0"))})
    action = flyte.ctx()
    return str(action.action.name) if action else ""


@wandb_init(run_mode="new")
@alone.task
async def parent() -> list[str]:
    """Render the links of the task as its submitter, call it, and return the links with its name filled in."""
    with wandb_config(**_SETTINGS) if _CASE["source"] == "context" else nullcontext():
        uris = _render(dict(flyte.get_custom_context()), flyte.ctx().action.run_name)
        action = await task.aio()
    return _fill(uris, action_name=str(action))


def run_child() -> list[str]:
    """Run the case as a child of a task that has a run of its own, and return the addresses of its links."""
    context = dict(wandb_config(project=_SETTINGS["project"], entity="local").items())
    links: list[str] = local_runner(Path.cwd())(parent, context=context)
    return links


def render_links() -> tuple[list[str], dict[str, str]]:
    """Return the addresses of the links, and the context with which the task is to run."""
    context = {} if _CASE["source"] == "decorator" else dict(wandb_config(**_SETTINGS).items())
    return _fill(_render(context)), context


def _render(context: Mapping[str, str], run_name: str | None = "{{.runName}}") -> list[str]:
    return [link.uri for link in log_links(task, context, run_name=run_name)]


def _fill(uris: list[str], **names: str) -> list[str]:
    return [filled({"link": uri}, **names)["link"] for uri in uris]
