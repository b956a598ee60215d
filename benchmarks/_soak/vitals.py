"""What a process takes from its machine: memory, file descriptors, threads, and W&B's service processes below it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One look. Memory in MiB."""

    memory: float
    descriptors: int
    threads: int
    services: int


def look() -> Vitals:
    """Look at this process, after its garbage is collected."""
    gc.collect()
    return Vitals(
        memory=_memory(),
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=threading.active_count(),
        services=len(services()),
    )


def services() -> list[int]:
    """Return the ids of W&B's service processes that this process has started and that live."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _is_service(entry)]


def kill_services() -> None:
    """Kill W&B's service as a machine without memory would."""
    for service in services():
        os.kill(service, signal.SIGKILL)


def _memory() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def _is_service(entry: Path) -> bool:
    try:
        name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
    except OSError:  # it has ended meanwhile
        return False
    state, parent = rest.split()[:2]
    return name == "wandb-core" and state != "Z" and int(parent) == os.getpid()
