"""Progress on the terminal, drawn between repetitions only."""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import Progress


def ticker(progress: Progress, what: str, total: int) -> Callable[[], None]:
    """Add a bar of `total` steps and return what makes one of them."""
    task = progress.add_task(what, total=total)

    def tick() -> None:
        progress.advance(task)
        progress.refresh()

    progress.refresh()
    return tick
