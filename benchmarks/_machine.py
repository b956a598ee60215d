"""What was measured, with which versions, on what kind of machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

_NOTES: Final = (
    "Medians, with the interquartile range (IQR) in brackets. Ours and the baseline take turns, another one first each "
    "time. Other processes may have used the cores meanwhile: compare ratios, not milliseconds, and trust a ratio "
    "near its limit only after several runs.",
    "2 x 2 ranks write to the W&B server double; everything else ran offline (WANDB_MODE=offline).",
)


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What stands around the rows."""

    title: str
    notes: tuple[str, ...]


def heading(*, minutes: float, quick: bool) -> Heading:
    """Describe versions and machine in general terms: no host name, no paths."""
    title = "Benchmarks (QUICK: too few repetitions to decide anything)" if quick else "Benchmarks"
    about = f"{_versions()}; {machine()}; measured in {minutes:.1f} minutes."
    return Heading(title=title, notes=(about, *_NOTES))


def _versions() -> str:
    packages = [f"{name} {version(name)}" for name in ("flyte-wandb", "flyte", "wandb", "pluggy")]
    return ", ".join([f"Python {platform.python_version()}", *packages])


def machine() -> str:
    """Describe system, cores and memory in general terms."""
    return f"{platform.system()} {platform.machine()}, {_cores()} cores, {_memory()}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown memory"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB of memory"
