"""The records that `run_sweep` and `sync_wandb_runs` return: one per trial, one per synced run."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Generic, Literal

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from typing_extensions import TypeVar

    R_co = TypeVar("R_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    R_co = TypeVar("R_co", covariant=True)  # before Python 3.13 a default is a type checker's only

TrialState = Literal["finished", "failed", "stopped"]
"""What became of a trial: it returned, it raised, or W&B's controller ended it early."""

Goal = Literal["minimize", "maximize"]
"""Which value of a metric is the best."""


_NONE: Final = type(None)
"""Makes None. A plain default is written with the type of its field, which has no form in JSON (mashumaro 3.23)."""


class TrialError(Exception):
    """What a trial raised, in words, where the exception itself cannot go: from another process, or out of a task.

    Its text is the type and the message: ``ValueError: diverged``.
    """


def _json_copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json_copy(item) for name, item in value.items()}
    return [_json_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _write_result(result: Any) -> str:
    """Return a result as JSON; what JSON cannot say as the text that Python prints."""
    try:
        return json.dumps(result, default=repr)
    except (TypeError, ValueError):  # keys that are no texts, or what holds itself
        return json.dumps(repr(result))


def _write_error(error: BaseException | None) -> str:
    if error is None or isinstance(error, TrialError):
        return str(error or "")
    return f"{type(error).__name__}: {error}"


# A type and not its name, and no union: of those mashumaro 3.23 looks for the schema without end.
_write_result.__annotations__["return"] = _write_error.__annotations__["return"] = str


def _read_error(text: str) -> TrialError | None:
    return TrialError(text) if text else None


def _portable_error(error: BaseException | None) -> BaseException | None:
    """Return an error that another process can load: Flyte's own cannot be pickled and loaded (flyte 2.12.1)."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return _read_error(_write_error(error))
    return error


@dataclass(frozen=True, kw_only=True)
class TrialOutcome(Generic[R_co]):
    """The outcome of one trial of `run_sweep`; ``TrialOutcome[float]`` if the task returns a float.

    You can pickle and copy it, and return it from a Flyte task. After such a return `error` is a `TrialError`, and a
    `result` without a JSON form is its `repr`.

    Attributes:
        number: Its place in the order in which W&B's controller issued trials, from 0.
        run_id: Id of its W&B run.
        parameters: The controller's choice, in JSON's types: dicts and lists.
        state: Its outcome.
        result: What the task returned; None unless it finished.
        error: What the task raised, or None.
        summary: The summary of its run, without W&B's own keys; empty if it could not be read.
        url: Page of its run.

    >>> import json
    >>> json.dumps(TrialOutcome(number=0, run_id="t1", parameters={"layers": (64, 64)}, state="finished").parameters)
    '{"layers": [64, 64]}'
    """

    number: int
    run_id: str
    parameters: Mapping[str, Any]
    state: TrialState
    # `serialize` and `deserialize` are read by mashumaro, with which Flyte writes what a task returns.
    result: R_co | None = field(default_factory=_NONE, metadata={"serialize": _write_result, "deserialize": json.loads})
    error: BaseException | None = field(
        default_factory=_NONE, metadata={"serialize": _write_error, "deserialize": _read_error}
    )
    summary: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        for name in ("parameters", "summary"):
            object.__setattr__(self, name, _json_copy(getattr(self, name)))

    def __getstate__(self) -> dict[str, Any]:
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return values | {"error": _portable_error(self.error)}


def metric_value(summary: Mapping[str, Any], name: str, goal: str) -> float | None:
    """Return the number of a metric, or None. `run.define_metric` may have its minimum or maximum in the summary."""
    value: Any = summary.get(name)
    if value is None and "." in name:
        first, rest = name.split(".", 1)
        inner = summary.get(first)
        return metric_value(inner, rest, goal) if isinstance(inner, Mapping) else None
    if isinstance(value, Mapping):
        value = next((value[key] for key in (goal[:3], "best", "last", "mean") if key in value), None)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def rank_trials(
    trials: Iterable[TrialOutcome[R_co]], metric: str, goal: Goal
) -> list[tuple[float, TrialOutcome[R_co]]]:
    """Return the finished trials that have a number for a metric, with it, the best one first."""
    finished = (trial for trial in trials if trial.state == "finished")
    valued = ((metric_value(trial.summary, metric, goal), trial) for trial in finished)
    ranked = [(value, trial) for value, trial in valued if value is not None]
    # By the negative rather than in reverse, which would turn around those of one value.
    return sorted(ranked, key=lambda entry: entry[0] if goal == "minimize" else -entry[0])


def _row(trial: TrialOutcome) -> dict[str, Any]:
    columns = {f"parameters.{name}": value for name, value in trial.parameters.items()}
    columns |= {f"summary.{name}": value for name, value in trial.summary.items()}
    ends = {"result": trial.result, "error": _write_error(trial.error) or None, "url": trial.url}
    return {"number": trial.number, "run_id": trial.run_id, "state": trial.state, **columns, **ends}


class TrialOutcomes(tuple[TrialOutcome[R_co], ...], Generic[R_co]):
    """The trials of a sweep, in the order in which W&B issued them.

    A tuple. To return it from a task, declare ``-> list[TrialOutcome]`` and return ``list(trials)``.

    Attributes:
        metric: Name of the sweep's metric, or None.
        goal: "minimize" or "maximize".

    >>> one, two = (
    ...     TrialOutcome(number=i, run_id=f"t{i}", parameters={}, state="finished", summary={"loss": loss})
    ...     for i, loss in enumerate((0.5, 0.25))
    ... )
    >>> TrialOutcomes([one, two], metric="loss").best().run_id
    't1'
    """

    metric: str | None
    goal: Goal

    def __new__(
        cls, trials: Iterable[TrialOutcome[R_co]] = (), metric: str | None = None, goal: Goal = "minimize"
    ) -> TrialOutcomes[R_co]:
        outcomes = super().__new__(cls, trials)
        outcomes.metric, outcomes.goal = metric, goal
        return outcomes

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.metric, self.goal

    def best(self, metric: str | None = None, goal: Goal | None = None) -> TrialOutcome[R_co]:
        """Return the finished trial with the best value of a metric in its summary.

        Args:
            metric: Name of the metric, with points for nested values. Default: the sweep's metric.
            goal: "minimize" or "maximize". Default: the sweep's goal, or "minimize".

        Raises:
            LookupError: The sweep has no metric, or no finished trial has a number for it.
            ValueError: The goal is unknown.
        """
        name, goal = metric or self.metric, goal or self.goal
        if goal not in ("minimize", "maximize"):
            raise ValueError(f"best(goal={goal!r}): expected 'minimize' or 'maximize'")
        if name is None:
            raise LookupError("the sweep has no metric; name one: best('loss')")
        ranked = rank_trials(self, name, goal)
        if not ranked:
            finished = [trial for trial in self if trial.state == "finished"]
            names = sorted({entry for trial in finished for entry in trial.summary})
            raise LookupError(
                f"none of {len(finished)} finished trials has a number for {name!r} in its summary; their summaries "
                f"have {', '.join(names) or 'nothing'}"
            )
        return ranked[0][1]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each trial, with a column for each parameter and each entry of the summary.

        >>> TrialOutcomes([TrialOutcome(number=0, run_id="t", parameters={"lr": 1}, state="finished")]).to_rows()[0]
        {'number': 0, 'run_id': 't', 'state': 'finished', 'parameters.lr': 1, 'result': None, 'error': None, 'url': ''}
        """
        return [_row(trial) for trial in self]

    def to_pandas(self) -> pandas.DataFrame:
        """Return `to_rows` as a table of pandas, which has to be installed."""
        import pandas

        return pandas.DataFrame(self.to_rows())


Status = Literal["synced", "skipped", "found", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What `sync_wandb_runs` did with one folder.

    Attributes:
        place: The folder's path or address.
        status: "synced" if the server has it now, "skipped" if the server had it before this call, "found" in a dry
            run, or "failed" with a reason.
        run_id: W&B's id of the run, or None if the log ends before it.
        target: ``ENTITY/PROJECT`` that it was uploaded to or asks for, or ``PROJECT`` for the user's own entity; None
            if unknown.
        rows: Rows of history that the server has of it, or None if nothing was uploaded.
        torn: Whether its log is truncated because the process was killed. The part before is uploaded, and W&B shows
            the run as failed.
        damaged_at: Offsets in bytes where the log is damaged; the first hundred. The rows after them are uploaded,
            and the folder is not marked as uploaded.
        missing_rows: How many rows may be missing there.
        url: The run's page, or None if nothing was uploaded.
        left_out: What was not uploaded, in words: records of the log that name a file outside of the run's folder,
            such as TensorBoard's, files that lead out of it, and artifacts with files that were not saved with it.
        reason: Why it was not uploaded, or None.
        artifacts: How many versions of artifacts it has logged.

    >>> SyncOutcome(place="wandb/offline-run-1-r1", status="skipped", run_id="r1").rows is None
    True
    """

    place: str
    status: Status
    run_id: str | None = None
    target: str | None = None
    rows: int | None = None
    torn: bool = False
    damaged_at: tuple[int, ...] = ()
    missing_rows: int = 0
    url: str | None = None
    left_out: tuple[str, ...] = ()
    reason: str | None = None
    artifacts: int = 0
