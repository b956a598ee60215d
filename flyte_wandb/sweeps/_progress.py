"""What a person sees of a sweep: a line per trial, a progress bar in a terminal, and the best trials at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, get_args

from .._logging import count_noun, printable
from .._outcomes import Goal, TrialOutcome, TrialState, metric_value, rank_trials

MOST_RANKED: Final = 5
"""Trials in the table at the end."""


class Progress:
    """Shows on the standard error stream which trials have ended, how, and which ones are the best.

    Args:
        sweep_id: The sweep.
        count: How many trials there will be at most, or None where nobody knows.
        metric: Name of the metric that the sweep is after, or None.
        goal: Which of its values is the best.
        earlier: Trials of earlier attempts, which count.
    """

    def __init__(
        self, sweep_id: str, count: int | None, *, metric: str | None, goal: Goal, earlier: Iterable[TrialOutcome]
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._sweep_id, self._count, self._metric, self._goal = sweep_id, count, metric, goal
        self._outcomes = list(earlier)
        self._console = Console(stderr=True, highlight=False, emoji=False, markup=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task(self._describe_best(), total=count, completed=len(self._outcomes))

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        if self._outcomes:
            self._print_end()

    def add_outcome(self, outcome: TrialOutcome) -> None:
        """Show a trial that has ended."""
        self._outcomes.append(outcome)
        self._bar.update(self._task, advance=1, description=self._describe_best())
        place = f"{outcome.number + 1}" if self._count is None else f"{outcome.number + 1}/{self._count}"
        self._console.print(printable(f"trial {place}, run {outcome.run_id}: {self._describe_outcome(outcome)}"))

    def _describe_outcome(self, outcome: TrialOutcome) -> str:
        value = metric_value(outcome.summary, self._metric, self._goal) if self._metric else None
        parts = [outcome.state] if value is None else [outcome.state, f"{self._metric} {value:.6g}"]
        parts += [f"with {_parameters_text(outcome.parameters)}"] if outcome.parameters else []
        # A cancelled one has no text.
        error = f"error {type(outcome.error).__name__}: {outcome.error}".removesuffix(": ")
        parts += [error] if outcome.error else []
        return ", ".join(parts)

    def _describe_best(self) -> str:
        ranked = rank_trials(self._outcomes, self._metric, self._goal) if self._metric else []
        return f"sweep {self._sweep_id}" + (f", best {self._metric} {ranked[0][0]:.6g}" if ranked else "")

    def _print_end(self) -> None:
        states = Counter(outcome.state for outcome in self._outcomes)
        counts = ", ".join(f"{states[state]} {state}" for state in get_args(TrialState) if states[state])
        trials = count_noun(len(self._outcomes), "trial")
        self._console.print(printable(f"sweep {self._sweep_id}: {trials}, {counts}"))
        ranked = rank_trials(self._outcomes, self._metric, self._goal) if self._metric else []
        if ranked:
            self._print_ranking(ranked[:MOST_RANKED])

    def _print_ranking(self, ranked: list[tuple[float, TrialOutcome]]) -> None:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, show_edge=False, title=f"best trials ({self._goal} {self._metric})")
        table.add_column("trial", justify="right")
        for name in (str(self._metric), "parameters", "run"):
            table.add_column(name, overflow="fold")
        for value, outcome in ranked:
            cells = (_parameters_text(outcome.parameters), outcome.run_id)
            table.add_row(str(outcome.number + 1), f"{value:.6g}", *map(printable, cells))
        self._console.print(table)


def _parameters_text(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items())
