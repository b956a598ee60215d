"""Writers in processes of their own: one process of W&B holds a run id only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

_SCRIPT: Final = """
import json, sys, wandb
options = json.loads(sys.argv[1])
run = wandb.init(project="p", settings=wandb.Settings(**options.pop("settings")), **options)
print(json.dumps([run.resumed, run.starting_step]), flush=True)
for line in sys.stdin:
    exec(json.loads(line))
    print("done", flush=True)
"""


class WriterProcess:
    """A process that opens a run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @cached_property
    def opened(self) -> tuple[bool, int]:
        """Whether the client took the run for a resumed one, and the step of its first row. Waits for the opening."""
        resumed, starting_step = json.loads(self._answer())
        return resumed, starting_step

    def do(self, statement: str) -> None:
        """Run a statement that uses `run`, and wait for its end."""
        assert self.opened
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def writer(run_id: str, *, settings: dict[str, Any], **options: Any) -> Iterator[WriterProcess]:
    """Start a process that opens a run, and at the end of the block wait for its end.

    Args:
        run_id: The run's id.
        settings: Fields of `wandb.Settings`.
        options: Other arguments of `wandb.init`.
    """
    environ = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    options = {"id": run_id, "settings": settings, **options}
    command = [sys.executable, "-c", _SCRIPT, json.dumps(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield WriterProcess(process)
        finally:
            process.communicate()


def shared(label: str, *, primary: bool = False) -> dict[str, Any]:
    """Return the settings of a writer in shared mode."""
    return {"mode": "shared", "x_label": label, "x_primary": primary, "x_update_finish_state": primary}
