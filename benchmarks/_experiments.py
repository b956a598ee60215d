"""What `rows.yaml` declares under `programs`: programs whose readings are the rows, run by turns or over sizes.

A reading is a value by its name. A program returns one reading of every kind, or a list of them; `import.peak` is that
which the program of the experiment `import` calls `peak`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from ._processes import HERE, Arm, make_folder, measure_program, run_program
from ._session import Session

Readings = Sequence[Mapping[str, Any]]
Measured = dict[str, tuple[list[Any], list[Any]]]
"""The values of ours and of the baseline, one per repetition, by the names of experiment and reading."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A program that is run several times.

    Of an argument that is a list the first is meant, or the second where few repetitions are wanted. A mapping stands
    for what it makes first: with ``{put_history: 1000}`` the double puts a run of so many rows there, whose id is the
    argument, and with ``{results.write_log: 1000}`` a program's result is. PACKAGE is the arm's package, and SIZE the
    size where there are sizes.
    """

    run: str  # the program, such as ``crowd.measure``
    ours: Sequence[Any] = ()  # its arguments
    baseline: Sequence[Any] | None = None  # those of what it is compared with, where that is another call
    times: Sequence[int] = (1, 1)  # how often it is run, and how often where few repetitions are wanted
    warm_up: int = 0  # how often before that
    double: bool = False  # whether it speaks to a W&B server double
    slow: float = 0.0  # seconds that every answer of the double takes longer
    sizes: Sequence[int] = ()  # for which it is run, in a table of growth
    of: str = ""  # what the sizes count


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The cost of each size, the least of some repetitions: what disturbs a machine only adds."""

    of: str
    sizes: Sequence[int]
    values: Sequence[float]
    repetitions: int


def compare(session: Session, name: str, experiment: Experiment, *arms: Arm) -> Measured:
    """Run the program in both arms by turns, another one first in each round; without arms, here for both calls."""
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
    """Run the program for each size."""
    step, found = session.bar(name, len(experiment.sizes)), []
    with _serve(experiment) as ask:
        for size in experiment.sizes:
            call = _prepare(session, experiment, ask, HERE, experiment.ours, size)
            found.append([reading for _ in range(experiment.times[session.quick]) for reading in call()])
            step()
    common: dict[str, Any] = {"of": experiment.of, "sizes": experiment.sizes, "repetitions": len(found[0])}
    return {
        f"{name}.{key}": Series(values=[min(one[key] for one in readings) for readings in found], **common)
        for key in found[0][0]
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
) -> Callable[[], list[dict[str, Any]]]:
    """Make what the program needs first, and return what runs it once."""

    def make(argument: Any) -> Any:
        if isinstance(argument, list):
            return argument[session.quick]
        if not isinstance(argument, dict):
            return size if argument == "SIZE" else str(argument).replace("PACKAGE", arm.package)
        ((target, given),) = argument.items()
        values = [make(one) for one in (given if isinstance(given, list) else [given])]
        if "." in target:
            return run_program(arm, make_folder(session.folder), target, *values, timeout=1_000)
        return ask(target, *map(int, values))

    made = [make(argument) for argument in arguments]
    if experiment.slow:
        ask("slow", "*", experiment.slow)
    server = ask("environ") if ask else None
    return partial(measure_program, arm, session.folder, experiment.run, *made, server=server)
