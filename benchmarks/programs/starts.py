"""Containers and ranks through Flyte's real entry point, with an arm's interpreter: how they end, how soon they begin.

These run in this environment and not in the arm's, whose package may be another one. A task is named by its module in
`programs` and its function: ``ranks.tracked``.
"""

from __future__ import annotations

import ast
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks._vitals import read_notes
from flyte_wandb import wandb_config
from flyte_wandb.testing import Container, ContainerResult, start_container, start_ranks
from tests.faults.acting import wait_until_ready
from tests.faults.sigterm_tasks import READY

_LAUNCHER: Final = ("/bin/sh", "-c", 'shift; exec "$ARM_PYTHON" "$@"', "sh")
"""Starts Flyte's entry point with the arm's interpreter in place of this process's."""
_RUN_NAME: Final = Path.cwd().name
"""Tells the runs of repetitions apart, which write to one server."""
_SKIPS: Final = {
    "FLYTE_CLUSTERED_WORKER": "1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "NODE_RANK": "0",
    "NNODES": "1",
}


def run(task: str, inputs: str = "{}", context: str = "{}") -> dict[str, Any]:
    """Run a task in a container, and return its result; inputs and context are written as in Python."""
    (result,) = _finish([_start(task, **_options(inputs, context))], timeout=120.0)
    return {"result": result.value}


def run_elastic(task: str, nodes: str, inputs: str = "{}", context: str = "{}") -> None:
    """Run a task of ranks in one container per node, whose agent starts the node's ranks."""
    _finish(_start_elastic(task, int(nodes), **_options(inputs, context)))


def preempt(task: str, inputs: str = "{}") -> None:
    """Run a task in a container, or one of ranks on one node, and send SIGTERM when its body says that it is ready."""
    os.mkfifo(READY)
    os.environ["READY"] = READY
    options = _options(inputs, "{}")
    (container,) = _start_elastic(task, 1, **options) if task.startswith("elastic.") else [_start(task, **options)]
    wait_until_ready(container, Path.cwd())
    container.process.send_signal(signal.SIGTERM)
    container.wait()


def _options(inputs: str, context: str) -> dict[str, Any]:
    return {"inputs": ast.literal_eval(inputs), "context": ast.literal_eval(context)}


def reach_alone(task: str, rank: str) -> dict[str, float]:
    """Start the second of two ranks of a clustered environment, which opens no run, or a task alone; see `_reach`."""
    return _reach(1, lambda: [_start(task, _SKIPS if rank == "1" else {"RANK": "0"}, run_name=_RUN_NAME)])


def reach_world(task: str, run_mode: str) -> dict[str, float]:
    """Start two nodes of two ranks each, as a clustered environment does; see `_reach`."""
    options: dict[str, Any] = {"environ": _environ({}), "launcher": _LAUNCHER, "run_name": _RUN_NAME}
    options |= {"folder": Path.cwd(), "context": wandb_config(run_mode=run_mode)}
    return _reach(4, lambda: start_ranks(_task(task), nodes=(2, 2), **options))


def reach_elastic_world(task: str) -> dict[str, float]:
    """Start two nodes of two ranks each under Elastic; see `_reach`."""
    return _reach(4, lambda: _start_elastic(task, 2, run_name=_RUN_NAME))


def _reach(count: int, start: Callable[[], Sequence[Container]]) -> dict[str, float]:
    """Return the seconds until so many ranks were in the user's code, and the MiB at the peak of any by then."""
    started = time.time()
    _finish(start())
    notes = read_notes(Path.cwd())
    assert len(notes) == count, f"{len(notes)} ranks were in the user's code, not {count}"
    return {"seconds": max(reached for reached, _ in notes) - started, "peak": max(peak for _, peak in notes)}


def _finish(containers: Sequence[Container], timeout: float = 300.0) -> list[ContainerResult]:
    results = [container.wait(timeout) for container in containers]
    if errors := [result.error for result in results if result.error]:
        raise RuntimeError(errors[0])
    return results


def _start_elastic(task: str, nodes: int, **options: Any) -> list[Container]:
    endpoint = {"PET_RDZV_ENDPOINT": f"127.0.0.1:{_free_port()}"}
    return [_start(task, endpoint, label=f"node-{node}", **options) for node in range(nodes)]


def _start(task: str, environ: Mapping[str, str] | None = None, **options: Any) -> Container:
    environ = _environ(environ or {})
    return start_container(_task(task), folder=Path.cwd(), environ=environ, launcher=_LAUNCHER, **options)


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "COMPARED": os.environ["ARM_PACKAGE"], **more}


def _task(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(import_module(f"benchmarks.programs.{module}"), function)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
