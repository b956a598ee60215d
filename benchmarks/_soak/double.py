"""The W&B server double in a process of its own, so that what it keeps is no part of the process that is measured."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.managers import BaseManager
from typing import Any, Final

from flyte_wandb.testing import RunRecord, WandbServer


class _Server(WandbServer):
    """The double with methods in place of properties, as another process can ask it only for those."""

    @classmethod
    def started(cls) -> _Server:
        server = cls()
        server.start()
        return server

    def put_history(self, run_id: str, project: str, rows: int) -> None:
        """Put a run with so many rows there, which are made here."""
        self.put_run(run_id, project=project, history=({"loss": 1 / (1 + step)} for step in range(rows)))

    def get_environ(self) -> dict[str, str]:
        return self.environ

    def get_runs(self) -> tuple[RunRecord, ...]:
        return self.runs

    def get_unknown_operations(self) -> tuple[str, ...]:
        return self.unknown_operations


class _Manager(BaseManager):
    pass


_METHODS: Final = (
    "fault",
    "slow",
    "heal",
    "refuse",
    "accept",
    "put_history",
    "put_run",
    "put_sweep",
    "get_environ",
    "get_runs",
    "get_unknown_operations",
)
_Manager.register("server", _Server.started, exposed=_METHODS)


def _end_with_parent() -> None:
    """End the double also where the soak is killed, or hangs and ends itself."""
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def double() -> Iterator[Any]:
    """Give a running `_Server`."""
    manager = _Manager(ctx=get_context("spawn"))
    manager.start(initializer=_end_with_parent)
    with manager:
        yield manager.server()  # type: ignore[attr-defined]
