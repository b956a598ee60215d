"""The service processes of W&B on this machine: which there are, and whether they end."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def services(folder: Path) -> Iterator[int]:
    """Yield the services that were started with a folder, or one in it, in their environment."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if b"wandb-core" in (place / "cmdline").read_bytes() and _names(place, folder):
                yield int(place.name)
        except OSError:
            continue  # it has ended meanwhile


def leftover_services(folder: Path, seconds: float = 60.0) -> list[int]:
    """Return the services of a folder that do not end within some seconds."""
    return [process for process in services(folder) if not ends(process, seconds)]


def kill_services(folder: Path) -> None:
    """Kill W&B's service as the kernel does where memory is short."""
    for process in services(folder):
        os.kill(process, signal.SIGKILL)


@contextmanager
def stopped_services(folder: Path) -> Iterator[None]:
    """Stop W&B's service, as where the machine swaps: it lives and says nothing. It goes on afterwards."""
    stopped = list(services(folder))
    for process in stopped:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            os.kill(process, signal.SIGCONT)


def _names(place: Path, folder: Path) -> bool:
    variables = (place / "environ").read_bytes().split(b"\0")
    values = [variable.partition(b"=")[2] for variable in variables]
    return any(value == bytes(folder) or value.startswith(bytes(folder) + b"/") for value in values)


def ends(process: int, seconds: float = 20.0) -> bool:
    """Whether a process ends within some seconds."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
