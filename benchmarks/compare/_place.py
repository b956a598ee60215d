"""Running the programs of an arm: as a script, and as containers and ranks of Flyte."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flyte_wandb.testing import Container, ContainerResult, WandbServer, start_container

from .._scratch import isolated
from ._arms import Arm
from ._counted import last_line

_PROGRAMS: Final = "benchmarks.compare.programs"
_LIMIT: Final = 150.0
_LAUNCHER: Final = ("/bin/sh", "-c", 'shift; exec "$COMPARED_PYTHON" "$@"', "sh")
"""Starts Flyte's entry point with the arm's interpreter in place of this process's."""
_numbers = itertools.count()
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder of its own in which an arm does one thing.

    Attributes:
        arm: The arm.
        folder: The folder.
        environ: More environment variables, such as those of a server; an empty one is left out.
    """

    arm: Arm
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def program(self, name: str, *arguments: str, timeout: float = _LIMIT) -> Any:
        """Run a program in a fresh process and return what it says as JSON in its last line.

        Raises:
            RuntimeError: It fails, or takes too long.
        """
        command = [str(self.arm.python), "-m", f"{_PROGRAMS}.{name}", *arguments]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=timeout
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it did not end within {timeout:.0f} s") from None
        (self.folder / "log").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(last_line(done.stderr))
        return json.loads(done.stdout.splitlines()[-1])

    def container(self, task: Any, *, environ: Mapping[str, str] | None = None, **options: Any) -> Container:
        """Start a task through Flyte's container entry point; see `start_container`."""
        own = {**self.variables, **(environ or {})}
        return start_container(task, folder=self.folder, environ=own, launcher=_LAUNCHER, **options)

    def elastic(self, task: Any, nodes: int, **options: Any) -> list[ContainerResult]:
        """Run one container per node, whose agent starts the node's ranks, and wait for all."""
        environ = {"PET_RDZV_ENDPOINT": f"127.0.0.1:{free_port()}"}
        agents = [self.container(task, label=f"node-{n}", environ=environ, **options) for n in range(nodes)]
        return [agent.wait(2 * _LIMIT) for agent in agents]

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment of its processes; of ours they see only PATH."""
        own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.arm.path), "COMPARED_PYTHON": str(self.arm.python)}
        attempt = {"COMPARED": self.arm.package, "FLYTE_ATTEMPT_NUMBER": "0"}
        every = {**isolated(self.folder), **own, **attempt, **self.environ}
        return {name: text for name, text in every.items() if text}


def place(arm: Arm, folder: Path, server: WandbServer | None = None, **environ: str) -> Place:
    """Make a folder below `folder` for something that an arm does, which writes to the server where one is given."""
    with _lock:
        own = folder / f"place-{next(_numbers)}"
    own.mkdir()
    online = {**server.environ, "WANDB_MODE": "online"} if server else {}
    return Place(arm=arm, folder=own, environ={**online, **environ})


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
