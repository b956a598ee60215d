"""The W&B server double in a process of its own, so that what it keeps is no part of the process that is measured."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.managers import BaseManager
from typing import Any

from flyte_wandb.testing import WandbServer

from ._vitals import memory


class Double(WandbServer):
    """The double, as another process uses it: in the place of attributes and methods it asks for them by name."""

    def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Return an attribute of the double, or what a method of it returns."""
        value = getattr(self, name)
        return value(*arguments, **named) if callable(value) else value

    def memory(self) -> float:
        """Return the MiB that its process takes now."""
        return memory("VmRSS")

    def put_history(self, rows: int) -> str:
        """Put a run with so many rows there, which are made here, and return its id."""
        return self._put(history=({"loss": 1 / (1 + step)} for step in range(rows)))

    def put_files(self, count: int) -> str:
        """Put a run with so many files there, and return its id."""
        return self._put(files={f"{number}.bin": os.urandom(10_000) for number in range(count)})

    def _put(self, **content: Any) -> str:
        run_id = f"run-{len(self.runs)}"
        self.put_run(run_id, project="p", **content)
        return run_id

    def put_trials(self, count: int, size: int = 0) -> str:
        """Put a sweep of so many runs there, each with a file of so many bytes, and return its id."""
        sweep = self.put_sweep({"method": "grid", "parameters": {"x": {"values": [1]}}}, project="p")
        content: dict[str, Any] = {"history": [{"loss": 0.5}] * 10, "files": {"a.txt": b"a" * size} if size else {}}
        for number in range(count):
            self.put_run(f"{sweep}-{number}", project="p", sweep=sweep, **content)
        return sweep


class _Manager(BaseManager):
    pass


_Manager.register("double", Double, exposed=("ask",))


def _end_with_parent() -> None:
    """End the double also where the soak is killed, or hangs and ends itself."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def start_double(**options: Any) -> Iterator[Any]:
    """Give `Double.ask` of one that runs, made with options of `WandbServer`."""
    manager = _Manager(ctx=get_context("spawn"))
    manager.start(initializer=_end_with_parent)
    with manager:
        ask = manager.double(**options).ask  # type: ignore[attr-defined]
        ask("start")
        yield ask
