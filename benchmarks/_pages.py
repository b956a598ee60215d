"""The pages of the results: a template in `pages`, filled in with tables, versions and the kind of machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markdown import Markdown

_PAGES: Final = Path(__file__).with_name("pages")
_PACKAGES: Final = ("flyte-wandb", "flyte", "wandb", "pluggy")


def fill_page(name: str, *, started: float, packages: str = "", **parts: str) -> str:
    """Return a page of `pages`, whose measurement began at `started` (seconds of `time.perf_counter`).

    Packages are names and versions of what was measured; where not given, those of this environment.
    """
    minutes = f"{(time.perf_counter() - started) / 60:.1f} minutes"
    versions = packages or ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    about = {"python": f"Python {platform.python_version()}", "packages": versions, "machine": _machine()}
    date = time.strftime("%Y-%m-%d")
    return (_PAGES / f"{name}.md").read_text().format(minutes=minutes, date=date, **about, **parts)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown.

    >>> print(write_table(["what", "n"], [["import", "3"]]))
    | what | n |
    | --- | --- |
    | import | 3 |
    """
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def write_list(lines: Iterable[str]) -> str:
    """Return a list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def publish(page: str, file: Path | None) -> None:
    """Print a page, drawn where a terminal shows it, and write it to a file where one is given."""
    console = Console()
    console.print(Markdown(page)) if console.is_terminal else print(page)
    if file:
        file.write_text(page)


def _machine() -> str:
    """Describe system, cores and memory in general terms: no host name, no paths."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GiB of memory"
