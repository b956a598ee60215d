"""How far a download is: a bar in a terminal, else a line at its end."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Watch(Protocol):
    """What a download reports its progress to, from several threads at a time."""

    def expect(self, files: int, size: int) -> None:
        """Add the number and bytes of files to download."""

    def received(self, size: int) -> None:
        """Add bytes that have arrived; a negative number takes some back."""

    def rows(self, count: int) -> None:
        """Add rows of history that have arrived."""

    def done(self, files: int) -> None:
        """Add files that are complete."""


class Silent:
    """Shows nothing."""

    def expect(self, files: int, size: int) -> None: ...

    def received(self, size: int) -> None: ...

    def rows(self, count: int) -> None: ...

    def done(self, files: int) -> None: ...


class Bar:
    """A bar on standard error.

    Args:
        progress: The display of rich that draws it.
        what: What it is called.
    """

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._task: TaskID = progress.add_task(what, total=0, done=0, files=0, rows=0)

    def expect(self, files: int, size: int) -> None:
        self._add(files=files, total=size)

    def received(self, size: int) -> None:
        self._add(completed=size)

    def rows(self, count: int) -> None:
        self._add(rows=count)

    def done(self, files: int) -> None:
        self._add(done=files)

    def _add(self, **counts: int) -> None:
        # Under a lock, since rich takes sums: of two threads, the later one must show the larger number.
        with self._lock:
            self._counts.update(counts)
            sums: dict[str, Any] = {name: self._counts[name] for name in counts}
            self._progress.update(self._task, **sums)


@contextmanager
def watch_progress(what: str) -> Iterator[Watch]:
    """Show how far a download is until the block ends, where standard error is a terminal.

    Args:
        what: What is downloaded.
    """
    # In a log file, every frame of a bar would be a line.
    if not sys.stderr.isatty():
        yield Silent()
        return
    # Here, because a container never gets this far, and rich takes time to import.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    counts = TextColumn("{task.fields[done]}/{task.fields[files]} files, {task.fields[rows]} rows")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), counts)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, what)
