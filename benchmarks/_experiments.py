"""What `rows.yaml` declares under `programs`: programs whose readings are the rows, run by turns.

A reading is a value by its name. A program returns one reading of every kind, or a list of them; `import.peak` is that
which the program of the experiment `import` calls `peak`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ._place import HERE, Arm, open_place
from ._session import Session

Readings = Sequence[Mapping[str, Any]]
Measured = dict[str, tuple[list[Any], list[Any]]]
"""The values of ours and of the baseline, one per repetition, by the names of experiment and reading."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A program that is run several times.

    Attributes:
        run: The program, such as ``crowd.measure``.
        ours: Its arguments. Of a list the first is meant, or the second where few repetitions are wanted. A mapping
            stands for what it makes first: with ``{put_history: 1000}`` the double puts a run of so many rows there,
            whose id is the argument, and with ``{reports.write_log: 1000}`` a program's result is. PACKAGE is the arm's
            package, and SIZE the size where there are sizes.
        baseline: The arguments of what it is compared with, where that is another call.
        times: How often it is run, and how often where few repetitions are wanted.
        warm_up: How often before that.
        double: Whether it speaks to a W&B server double.
        slow: Seconds that every answer of the double takes longer.
        sizes: The sizes for which it is run, in a table of growth.
        of: What the sizes count.
    """

    run: str
    ours: tuple[Any, ...] = ()
    baseline: tuple[Any, ...] | None = None
    times: tuple[int, int] = (1, 1)
    warm_up: int = 0
    double: bool = False
    slow: float = 0.0
    sizes: tuple[int, ...] = ()
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The cost of each size, the least of some repetitions: what disturbs a machine only adds."""

    of: str
    sizes: Sequence[int]
    values: Sequence[float]
    repetitions: int


def compare(session: Session, name: str, experiment: Experiment, *arms: Arm) -> Measured:
    """Run the program for both arms by turns, another one first in each round.

    Args:
        session: Where.
        name: Name of the experiment.
        experiment: What.
        arms: Ours and the baseline; this environment is both where none is given.
    """
    with _serve(experiment) as ask:
        calls = [_prepare(session, experiment, ask, arm, experiment.ours) for arm in arms or (HERE,)]
        if experiment.baseline is not None:
            calls.append(_prepare(session, experiment, ask, HERE, experiment.baseline))
        readings: list[list[Mapping[str, Any]]] = [[] for _ in calls]
        rounds = experiment.warm_up + experiment.times[session.quick]
        step = session.bar(name, rounds)
        for turn in range(rounds):
            for place in range(len(calls)):
                arm = (turn + place) % len(calls)
                found = calls[arm]()
                readings[arm] += found if turn >= experiment.warm_up else []
            step()
    return name_readings(name, *readings)


def grow(session: Session, name: str, experiment: Experiment) -> dict[str, Series]:
    """Run the program for each size, so that it measures several times."""
    step, least, counts = session.bar(name, len(experiment.sizes)), [], []
    with _serve(experiment) as ask:
        for size in experiment.sizes:
            call = _prepare(session, experiment, ask, HERE, experiment.ours, size)
            found = name_readings(name, [reading for _ in range(experiment.times[0]) for reading in call()])
            least.append({value: min(costs) for value, (costs, _) in found.items()})
            counts = [len(costs) for costs, _ in found.values()]
            step()
    return {
        value: Series(
            of=experiment.of, sizes=experiment.sizes, values=[one[value] for one in least], repetitions=counts[0]
        )
        for value in least[0]
    }


def name_readings(name: str, ours: Readings, baseline: Readings = ()) -> Measured:
    """Return the readings of an experiment by their names.

    >>> name_readings("import", [{"peak": 3}, {"peak": 4}], [{"peak": 1}, {"peak": 2}])
    {'import.peak': ([3, 4], [1, 2])}
    """
    return {f"{name}.{key}": ([one[key] for one in ours], [one[key] for one in baseline]) for key in ours[0]}


def _serve(experiment: Experiment) -> Any:
    from ._double import start_double  # it imports flyte, which has to see the scratch folder's environment

    return start_double() if experiment.double else nullcontext()


def _prepare(
    session: Session, experiment: Experiment, ask: Any, arm: Arm, arguments: Sequence[Any], size: int = 0
) -> Any:
    """Make what the program needs first, and return what runs it once in a place of its own."""

    def make(argument: Any) -> Any:
        if isinstance(argument, list):
            return argument[session.quick]
        if isinstance(argument, dict):
            ((target, given),) = argument.items()
            values = [make(one) for one in (given if isinstance(given, list) else [given])]
            return open_place(arm, session.folder).program(target, *values) if "." in target else ask(target, *values)
        return size if argument == "SIZE" else str(argument).replace("PACKAGE", arm.package)

    made = [make(argument) for argument in arguments]
    if experiment.slow:
        ask("slow", "*", experiment.slow)
    environ = ask("environ") if ask else None
    return lambda: open_place(arm, session.folder, environ).measure(experiment.run, *made)
