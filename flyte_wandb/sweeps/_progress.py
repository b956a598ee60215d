"""What a person sees of a sweep while it runs: a progress bar in a terminal, else a line per trial."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .._outcomes import TrialOutcome


class Progress:
    """Shows on the standard error stream how many trials have ended, and how.

    Args:
        sweep_id: The sweep.
        count: How many trials there will be at most, or None where nobody knows.
    """

    def __init__(self, sweep_id: str, count: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(f"sweep {sweep_id}", total=count)
        self._count = "?" if count is None else count

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def add_outcome(self, outcome: TrialOutcome) -> None:
        """Tell of a trial that has ended."""
        self._bar.advance(self._task)
        self._console.print(
            f"trial {outcome.number + 1} of {self._count}, {outcome.run_id}: {outcome.state}{_outcome_detail(outcome)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _outcome_detail(outcome: TrialOutcome) -> str:
    told: dict[str, Any] = {"with": dict(outcome.parameters)}
    if outcome.error:
        told["error"] = f"{type(outcome.error).__name__}: {outcome.error}"
    return ", " + ", ".join(f"{name} {value}" for name, value in told.items())
