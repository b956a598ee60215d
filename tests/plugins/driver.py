"""Submits and runs one task in a process that imports from an environment: a question and its answer are JSON.

`run_ranks` starts processes that import what its own process can, so it has to be called in such a one.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from flyte_wandb.testing import ContainerResult
from tests.checkout import NO_VARIABLES, import_path, process_environ
from tests.plugins.environments import packages_of
from tests.programs import run_python


@dataclass(frozen=True, kw_only=True)
class Driven:
    """What became of a task.

    Attributes:
        context: Flyte's context, as it was submitted.
        links: The address of each link that was submitted, by name.
        ended: How each rank ended, in their order.
    """

    context: dict[str, str]
    links: dict[str, str]
    ended: list[ContainerResult]

    @property
    def faults(self) -> list[str]:
        """Errors and logs of the ranks that failed."""
        return [f"{one.error}\n{one.log}" for one in self.ended if one.error or one.exit_code]


def drive(
    python: Path,
    task: str | None = None,
    *,
    folder: Path,
    environ: Mapping[str, str] = NO_VARIABLES,
    settings: Mapping[str, Any] | None = None,
    context: Mapping[str, str] | None = None,
    **options: Any,
) -> Driven:
    """Submit a task where the packages of an environment can be imported, and run it there.

    Args:
        python: The interpreter of the environment.
        task: ``module:task``, or None to make the context only.
        folder: An existing folder for all files.
        environ: Environment variables of whoever submits the task, and of the task.
        settings: Arguments of `wandb_config`, for the context.
        context: The context, in the place of settings.
        options: Of `run_ranks` where they have ``nodes``, else of `run_container`.
    """
    asked = {"task": task, "settings": settings or {}, "context": context, "folder": str(folder)}
    asked["options"] = {**options, "environ": dict(environ)}
    variables = process_environ(folder, {**environ, "PYTHONPATH": import_path(packages_of(python))})
    result = run_python("-m", "tests.plugins.driver", folder=folder, environ=variables, text=json.dumps(asked))
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    return Driven(**{**told, "ended": [ContainerResult(**one) for one in told["ended"]]})


def _told(task: str | None, settings: Mapping[str, Any], context: dict[str, str] | None, **options: Any) -> Driven:
    from flyte_wandb import wandb_config
    from tests.links.rendering import wire_links

    submitted = dict(wandb_config(**settings)) if context is None else context
    if task is None:
        return Driven(context=submitted, links={}, ended=[])
    target = _loaded(task)
    links = wire_links(target, submitted)
    return Driven(context=submitted, links=links, ended=_ended(target, context=submitted, **options))


def _ended(task: Any, *, folder: str, options: Mapping[str, Any], **more: Any) -> list[ContainerResult]:
    from flyte_wandb.testing import run_container, run_ranks

    if "nodes" in options:
        return run_ranks(task, folder=Path(folder), **options, **more)
    return [run_container(task, folder=Path(folder), **options, **more)]


def _loaded(task: str) -> Any:
    module, _, name = task.partition(":")
    return getattr(import_module(module), name)


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answer = json.dumps(asdict(_told(**json.load(sys.stdin))))
    print(answer)
