"""Writers in processes of their own: one process of W&B holds a run id only once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, TextIO

from tests.programs import client_environ, python_to_talk_to

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

    def __init__(self, statements: TextIO, answers: TextIO) -> None:
        self._statements = statements
        self._answers = answers

    @cached_property
    def opened(self) -> tuple[bool, int]:
        """Whether the client took the run for a resumed one, and the step of its first row. Waits for the opening."""
        resumed, starting_step = json.loads(self._answer())
        return resumed, starting_step

    def do(self, statement: str) -> None:
        """Run a statement that uses `run`, and wait for its end."""
        assert self.opened
        self._statements.write(json.dumps(statement) + "\n")
        self._statements.flush()
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        return self._answers.readline()


@contextmanager
def writer(run_id: str, *, settings: dict[str, Any], **options: Any) -> Iterator[WriterProcess]:
    """Start a process that opens a run, and at the end of the block wait for its end.

    Args:
        run_id: The run's id.
        settings: Fields of `wandb.Settings`.
        options: Other arguments of `wandb.init`.
    """
    environ = client_environ()
    options = {"id": run_id, "settings": settings, **options}
    with python_to_talk_to("-c", _SCRIPT, json.dumps(options), environ=environ) as (statements, answers):
        yield WriterProcess(statements, answers)


def shared(label: str, *, primary: bool = False) -> dict[str, Any]:
    """Return the settings of a writer in shared mode."""
    return {"mode": "shared", "x_label": label, "x_primary": primary, "x_update_finish_state": primary}
