"""Running a task the way its container does: Flyte's real `a0` entry point, mode "remote", with no control plane.

A leaf task needs nothing but its inputs and a folder for its outputs, so this runs anywhere. Child tasks and
`@flyte.trace` need a control plane and fail. The call has the shape that Flyte's `RuntimeTaskTemplate.container_args`
writes. Conversion of inputs and outputs uses private names of Flyte (checked on 2.6 to 2.12).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import flyte

from ._warm import WarmProcess, start_warm

T = TypeVar("T")
Task = flyte.TaskTemplate[..., Any, Any]

IMPORTS: Final = (
    "filelock",
    "flyte._bin.runtime",
    "flyte._internal.controllers.remote._client",
    "flyte._internal.controllers.remote._controller",
    "flyte._internal.image_cache",
    "flyte._internal.resolvers.default",
    "flyte._internal.runtime.entrypoints",
    "flyte.git",
    "flyte.remote._client.auth._interceptors.retry",
    "flyte.remote._client.controlplane",
    "flyte.report",
    "flyte.storage",
    "httpcore",
    "obstore.fsspec",
    "opentelemetry.propagate",
    "pluggy",
    "requests",
    "rich.logging",
    "rich.syntax",
    "rich_click",
    "sniffio",
    "wandb",
    "wandb.apis.public",
    "wandb.sdk.artifacts._models.pagination",
    "wandb.sdk.launch.inputs.internal",
    "yaml",
)
"""What containers come to import of Flyte, of W&B and of what this package needs; nothing of this package itself."""
_RESOLVER: Final = "flyte._internal.resolvers.default.DefaultTaskResolver"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerResult:
    """How a container ended.

    Attributes:
        exit_code: The process's exit code, negative for a signal. Flyte's `a0` exits with 0 also when the task failed.
        error: What the task raised, as Flyte reports it, or None.
        value: What the task returned, or None.
        log: Everything that the process printed.
    """

    exit_code: int
    error: str | None
    value: Any
    log: str


class Container:
    """One `a0` process under way. Start it with `start_container`.

    Attributes:
        process: The process, for signals.
    """

    def __init__(self, process: subprocess.Popen[str] | WarmProcess, task: Task, outputs: Path) -> None:
        self.process = process
        self._task = task
        self._outputs = outputs

    def wait(self, timeout: float = 120.0) -> ContainerResult:
        """Wait for the end of the process.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            subprocess.TimeoutExpired: It has not ended by then; it is killed.
        """
        try:
            log, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            if self.process.stdout is not None:
                self.process.stdout.close()  # to read to its end would wait for children that have inherited it
            self.process.wait()
            raise
        value, error = _run_in_thread(_read_outcome(self._task, self._outputs))
        return ContainerResult(exit_code=self.process.wait(), error=error, value=value, log=log)


def run_container(task: Task, *, folder: Path, timeout: float = 120.0, **options: Any) -> ContainerResult:
    """Run one task through Flyte's container entry point and wait for its end.

    Args:
        task: A task that lives under its function's name in an importable module.
        folder: An existing folder for the task's files; the process starts in it.
        timeout: Seconds to wait at most.
        options: See `start_container`.

    Example::

        with WandbServer() as server:
            result = run_container(train, folder=tmp_path, inputs={"epochs": 3}, environ=server.environ)
            assert result.error is None
            assert server.run("run1-a0").state == "finished"
    """
    return start_container(task, folder=folder, **options).wait(timeout)


def start_container(
    task: Task,
    *,
    folder: Path,
    inputs: Mapping[str, Any] | None = None,
    context: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    run_name: str = "run1",
    action_name: str = "a0",
    label: str = "",
    launcher: Sequence[str] = (),
    warm: bool | Sequence[str] = True,
) -> Container:
    """Start one task through Flyte's container entry point.

    Args:
        task: A task that lives under its function's name in an importable module.
        folder: An existing folder for the task's files; the process starts in it.
        inputs: The task's arguments.
        context: Flyte's custom context, such as `wandb_config(...)`.
        environ: Environment variables. Of this process's own the container sees only PATH, and it imports what this
            process can import.
        run_name: Name of the Flyte run.
        action_name: Name of the Flyte action.
        label: Keeps the files of several processes of one action apart, such as those of its ranks.
        launcher: A command that starts the entry point in its turn, such as `torchrun` with ``--no-python``.
        warm: Whether it may be forked from a process that has already imported Flyte and W&B, which saves seconds. It
            is a separate process all the same, and sees only that those modules are loaded. If more would differ, a
            cold process starts instead: with a launcher, outside Linux, if a variable of `environ` is read while
            something is imported or an interpreter starts, and if the environment of this process sets
            ``FLYTE_WANDB_COLD_CONTAINERS``. You can also pass the names of all modules to import beforehand, such as
            torch. Then every process that it starts with Python is warm too, and so is a launcher started with Python.
    """
    base = folder / "flyte" / run_name / action_name / label
    outputs = base / "1"
    outputs.mkdir(parents=True, exist_ok=True)
    _run_in_thread(_write_inputs(task, base / "inputs.pb", dict(context or {}), dict(inputs or {})))
    words = [*_build_a0_arguments(base, run_name, action_name), *_task_address(task)]
    command = [*launcher, sys.executable, *words]
    variables = _container_environ(folder, environ or {})
    process = _start_warm(command, folder, variables, warm) if warm and (warm is not True or not launcher) else None
    return Container(process or _start_cold(command, folder, variables), task, outputs)


def _start_warm(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], warm: bool | Sequence[str]
) -> WarmProcess | None:
    if command[0] != sys.executable:
        return None
    modules = IMPORTS if isinstance(warm, bool) else warm
    reader, writer = os.pipe()
    streams, warm_children = (0, writer, writer), not isinstance(warm, bool)
    options: dict[str, Any] = {"folder": folder, "environ": environ, "streams": streams, "warm_children": warm_children}
    process = start_warm(command[1:], modules=modules, **options)
    os.close(writer)
    if process is None:
        os.close(reader)
    else:
        process.stdout = os.fdopen(reader)
    return process


def _start_cold(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    output: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environ, **output)


def _run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in a new thread: the caller may be inside an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _build_a0_arguments(base: Path, run_name: str, action_name: str) -> list[str]:
    entry_point = "from flyte._bin.runtime import main; main(prog_name='a0')"
    options = {
        "inputs": f"file://{base}/inputs.pb",
        "outputs-path": f"file://{base}/1",
        "version": "v1",
        "run-base-dir": f"file://{base}",
        "raw-data-path": f"file://{base}/raw",
        "checkpoint-path": f"file://{base}/1/_flytecheckpoints",
        "run-name": run_name,
        "name": action_name,
        "project": "project",
        "domain": "development",
        "org": "org",
        "resolver": _RESOLVER,
    }
    return [
        "-c",
        entry_point,
        *(text for name, value in options.items() for text in (f"--{name}", value)),
    ]


def _task_address(task: Any) -> list[str]:
    function = task.func
    return ["mod", function.__module__, "instance", function.__name__]


def _container_environ(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    own = {"HOME": str(folder), "WANDB_DIR": str(folder), "FLYTE_ATTEMPT_NUMBER": "0"}
    return {**inherited, **own, **environ}


async def _write_inputs(task: Task, path: Path, context: dict[str, str], arguments: dict[str, Any]) -> None:
    from flyte._internal.runtime import convert

    inputs = await convert.convert_from_native_to_inputs(task.native_interface, custom_context=context, **arguments)
    path.write_bytes(inputs.proto_inputs.SerializeToString())


async def _read_outcome(task: Task, outputs: Path) -> tuple[Any, str | None]:
    from flyte._internal.runtime import convert, io

    if (outputs / "error.pb").exists():
        error = await io.load_error(str(outputs / "error.pb"))
        return None, f"{error.code}: {error.message}"
    if (outputs / "outputs.pb").exists():
        outputs_message = await io.load_outputs(str(outputs / "outputs.pb"))
        return await convert.convert_outputs_to_native(task.native_interface, outputs_message), None
    return None, None
